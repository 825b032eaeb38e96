/* make_tiny_digits FOLDER TRAIN TEST: writes the data set of tiny_digits.h, for tests that are scripts. */
#include "tiny_digits.h"

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: make_tiny_digits FOLDER TRAIN TEST\n");
    return 2;
  }
  tiny_digits(argv[1], atoi(argv[2]), atoi(argv[3]));
  return 0;
}
