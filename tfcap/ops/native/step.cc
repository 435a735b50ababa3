// Parts of a training step in one pass each, on a CPU; tfcap/ops/dispatch.py says when
// they are used.
//
// Every value is computed by the same operations in the same order however the work is
// divided, so that results do not depend on the number of threads.

#include "attention.h"
#include "cross_entropy.h"
#include "dropout.h"
#include "lstm.h"
