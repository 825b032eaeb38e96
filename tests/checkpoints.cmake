# Checkpoints of other tools.
sumi_test(io_checkpoint_test SOURCES io_checkpoint_test.c LABEL quick)
