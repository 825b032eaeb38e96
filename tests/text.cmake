# Tokenizer and prompts.
sumi_test(text_tokenizer_test SOURCES text_tokenizer_test.c LABEL quick)
sumi_test(text_infotext_test SOURCES text_infotext_test.c LABEL quick)
sumi_test(text_prompt_test SOURCES text_prompt_test.c LABEL quick)
