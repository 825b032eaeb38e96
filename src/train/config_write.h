/* A configuration back to YAML. */
#ifndef SUMI_SRC_TRAIN_CONFIG_WRITE_H
#define SUMI_SRC_TRAIN_CONFIG_WRITE_H

#include "train/config.h"

/* Writes all values, defaults included, as a file that reads back to the same. Errors: IO, NO_MEMORY. */
sumi_status sumi__config_save(const sumi_train_config *config, const char *path);

#endif
