# Checkpoints of other tools.
sumi_test(io_checkpoint_test SOURCES io_checkpoint_test.c LABEL quick)
sumi_test(io_hostile_test SOURCES io_hostile_test.c LABEL quick)
