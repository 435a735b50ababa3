"""Loss and gradient of a replica's share of a global batch."""

import tensorflow as tf

from tfcap.config.training import TrainingConfig
from tfcap.data.padding import never_empty
from tfcap.data.pipeline import Batch
from tfcap.models.base import CaptioningModel
from tfcap.ops.dispatch import kernels_for
from tfcap.training.objectives import Objective
from tfcap.training.vectors import Vectors

ROW_PARTS = ("photo", "prefix", "target")  # all else in a batch is per photo
LossAndGradients = tuple[tf.Tensor, list[tf.Tensor]]


class GradientComputer:
    """The function from a replica's batch to its loss and gradients.

    Args:
        model: is differentiated by its trainable variables.
        vectors: these variables; their optimizer scales the loss, in mixed_float16.
        objective: gives the losses.
        config: says whether XLA compiles it, and into how many parts a batch is cut.
        device: what it is traced for, as `kernels_for` takes it.
    """

    def __init__(
        self,
        model: CaptioningModel,
        vectors: Vectors,
        objective: Objective,
        config: TrainingConfig,
        device: str | None,
    ):
        self.model, self.vectors, self.objective = model, vectors, objective
        self.parts = config.accumulate
        self.device = device
        self.differentiate = self.loss_and_gradients
        if config.jit_compile:
            self.differentiate = tf.function(self.loss_and_gradients, jit_compile=True)

    def __call__(self, batch: Batch, count: tf.Tensor) -> LossAndGradients:
        """Returns the summed loss of these rows, and the gradients of the vectors.

        Args:
            batch: of one replica, with `seed` int32 [photos].
            count: the number of losses in the global batch, int64. It divides the
                loss before it is differentiated, so that the replicas' gradients sum
                up to that of the global mean, times the loss scale.
        """
        if self.parts == 1:
            return self.differentiate(batch, count)
        return self.sum_over_parts(batch, count)

    def loss_and_gradients(self, batch: Batch, count: tf.Tensor) -> LossAndGradients:
        with kernels_for(self.device), tf.GradientTape() as tape:
            with self.vectors.in_model():
                inputs = with_features(self.model, batch, True)
                losses = self.objective.losses(self.model, inputs, batch["seed"])
            loss = tf.reduce_sum(losses)
            mean = loss / tf.cast(count, tf.float32)
            mean = self.vectors.optimizer.scale_loss(mean)
        return loss, tape.gradient(mean, self.vectors.weights)

    def sum_over_parts(self, batch: Batch, count: tf.Tensor) -> LossAndGradients:
        """Adds up losses and gradients of a batch's parts, one part after another.

        A loop in the graph holds the activations of only one part at a time. Keras'
        `gradient_accumulation_steps` joins whole batches and does not cut one.
        """

        def add(number, loss, gradients):
            part = part_of(batch, number, self.parts)
            part_loss, part_gradients = self.differentiate(part, count)
            sums = [a + b for a, b in zip(gradients, part_gradients)]
            return number + 1, loss + part_loss, sums

        zeros = [tf.zeros(weights.shape) for weights in self.vectors.weights]
        _, loss, gradients = tf.while_loop(
            lambda number, *_: number < self.parts,
            add,
            (tf.constant(0), tf.constant(0.0), zeros),
            parallel_iterations=1,
        )
        return loss, gradients


def part_of(batch: Batch, number: tf.Tensor, parts: int) -> Batch:
    """Returns part `number`, from 0, of a batch cut by photo into equal parts.

    A part without photos gets one without captions.
    """
    per_photo = {name: batch[name] for name in batch if name not in ROW_PARTS}
    photos = tf.size(batch["seed"])
    first, end = number * photos // parts, (number + 1) * photos // parts
    inside = (batch["photo"] >= first) & (batch["photo"] < end)
    rows = {name: tf.boolean_mask(batch[name], inside) for name in ROW_PARTS}
    rows["photo"] -= first
    return never_empty(
        {**{name: per_photo[name][first:end] for name in per_photo}, **rows}
    )


def with_features(model: CaptioningModel, batch: Batch, training: bool) -> Batch:
    """Returns the batch with features; a trained encoder makes them of its pixels."""
    if model.encoder is None:
        return batch
    rest = {name: values for name, values in batch.items() if name != "pixels"}
    encode = model.encoder.encode_crop if training else model.encoder.encode
    return {"features": encode(batch["pixels"]), **rest}
