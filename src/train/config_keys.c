/* The keys that every training task has. A table is the whole truth about a key: docs are printed from it too. */
#include "train/config.h"

#include "train/optimizer.h"
#include "train/schedule.h"

#include <stddef.h>

static const char *const computes[] = {"f32", "bf16", NULL};

#define AT(member) offsetof(sumi__train_values, member)
#define FLAG(name, flags, member, value, meaning)                                                                      \
  { name, SUMI__KEY_BOOL, flags, AT(member), value, 0, 0, NULL, meaning }
#define INT(name, flags, member, value, low, high, meaning)                                                            \
  { name, SUMI__KEY_INT, flags, AT(member), value, low, high, NULL, meaning }
#define NUMBER(name, flags, member, value, low, high, meaning)                                                         \
  { name, SUMI__KEY_NUMBER, flags, AT(member), value, low, high, NULL, meaning }
#define CHOICE(name, flags, member, value, choices, meaning)                                                           \
  { name, SUMI__KEY_CHOICE, flags, AT(member), value, 0, 0, choices, meaning }
#define TEXT(name, flags, member, value, meaning)                                                                      \
  { name, SUMI__KEY_TEXT, flags, AT(member), value, 0, 0, NULL, meaning }

enum { FREE = SUMI__KEY_FREE, LENGTH = SUMI__KEY_LENGTH };

static const sumi__key keys[] = {
    TEXT("data.dir", FREE, data.dir, "data/mnist", "the folder of the data set's IDX files, gzipped or not"),
    INT("data.limit", 0, data.limit, "0", 0, 1e9, "use the first N pictures only; 0: all"),
    INT("data.shift", 0, data.shift, "0", 0, 64, "move each picture at random by up to N pixels each way"),
    FLAG("data.drop_last", 0, data.drop_last, "true", "leave out an epoch's last batch where it would be smaller"),

    TEXT("train.out", FREE, train.out, "runs/train", "the folder for checkpoints, log, previews and the model"),
    INT("train.epochs", LENGTH, train.epochs, "10", 1, 1e6, "how often to go through the data"),
    INT("train.max_steps", LENGTH, train.max_steps, "0", 0, 1e12, "stop after N steps; 0: after the epochs"),
    INT("train.batch", 0, train.batch, "128", 1, 1 << 20, "pictures for one step of the optimiser"),
    INT("train.micro_batch", 0, train.micro_batch, "0", 0, 1 << 20,
        "pictures computed at once, gradients being summed over the batch; less needs less memory; 0: the batch"),
    INT("train.seed", 0, train.seed, "0", 0, 9e15, "decides the initial weights, the order of the data and all noise"),
    CHOICE("train.compute", 0, train.compute, "f32", computes, "what matrix products and convolutions compute in"),
    NUMBER("train.lr", 0, train.lr, "0.001", 0, 1e3, "the learning rate"),
    NUMBER("train.clip_norm", 0, train.clip_norm, "0", 0, 1e9,
           "scale gradients of a larger global norm down; 0: never"),

    CHOICE("optimizer.name", 0, optimizer.name, "adam", sumi__optimizer_names, "the update rule"),
    NUMBER("optimizer.beta1", 0, optimizer.beta1, "0.9", 0, 0.999999, "Adam's decay of the first moment"),
    NUMBER("optimizer.beta2", 0, optimizer.beta2, "0.999", 0, 0.999999, "Adam's decay of the second moment"),
    NUMBER("optimizer.eps", 0, optimizer.eps, "1e-08", 0, 1, "Adam's term beside the square root"),
    NUMBER("optimizer.weight_decay", 0, optimizer.weight_decay, "0", 0, 10,
           "pulls weights to zero: L2 for adam and sgd, decoupled for adamw"),
    NUMBER("optimizer.momentum", 0, optimizer.momentum, "0", 0, 0.999999, "SGD's"),
    FLAG("optimizer.nesterov", 0, optimizer.nesterov, "false", "SGD with Nesterov's momentum"),

    CHOICE("schedule.name", 0, schedule.name, "constant", sumi__schedule_names, "how the learning rate changes"),
    INT("schedule.warmup_steps", 0, schedule.warmup_steps, "0", 0, 1e9, "steps over which the rate rises from zero"),
    NUMBER("schedule.gamma", 0, schedule.gamma, "0.98", 0, 1, "exponential: the factor for each epoch"),
    NUMBER("schedule.floor", 0, schedule.floor, "0", 0, 1, "the rate never falls below this share of train.lr"),

    NUMBER("ema.decay", 0, ema.decay, "0", 0, 0.9999999, "of the average of weights that is saved; 0: no average"),
    FLAG("ema.warmup", 0, ema.warmup, "true", "begin with a smaller decay: (1 + step)/(10 + step)"),

    INT("checkpoint.every_epochs", FREE, checkpoint.every_epochs, "1", 0, 1e6, "save each N epochs; 0: at the end"),
    INT("checkpoint.every_steps", FREE, checkpoint.every_steps, "0", 0, 1e12, "save each N steps as well; 0: no"),
    INT("checkpoint.keep", FREE, checkpoint.keep, "2", 1, 1e6, "how many checkpoints stay"),

    INT("preview.every_epochs", FREE, preview.every_epochs, "5", 0, 1e6, "draw samples each N epochs; 0: never"),
    INT("preview.count", FREE, preview.count, "40", 1, 400, "how many"),
    INT("preview.steps", FREE, preview.steps, "100", 1, 10000, "of the sampler"),
};

const sumi__key_table sumi__train_keys = {keys, sizeof keys / sizeof *keys};
