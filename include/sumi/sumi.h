/* sumi/sumi.h: the whole of the library's public interface. */
#ifndef SUMI_SUMI_H
#define SUMI_SUMI_H

#include "sumi/base.h"
#include "sumi/bench.h"
#include "sumi/diffusion.h"
#include "sumi/infotext.h"
#include "sumi/io.h"
#include "sumi/model.h"
#include "sumi/pipeline.h"
#include "sumi/plot.h"
#include "sumi/profile.h"
#include "sumi/tensor.h"
#include "sumi/text.h"
#include "sumi/train.h"

#endif
