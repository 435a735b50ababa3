"""Decides once for a run whether it trains by native operations.

Native operations and TensorFlow's differ in rounding. A run that is resumed therefore
uses those that it began with, or is refused.
"""

from records.errors import UserError
from tfcap.config.experiment import Config
from tfcap.config.training import TrainingConfig
from tfcap.ops.compilation import VARIABLE
from tfcap.ops.dispatch import compiled
from tfcap.training.distributed.collectives import Workers

CHOICES: tuple[str | bool, ...] = ("auto", False, True)


def fix_native_ops(
    config: Config, first: Config | None, device: str, workers: Workers
) -> Config:
    """Returns the configuration with `training.native_ops` decided.

    `auto` takes what the run began with, else whether the chief can compile them. It
    stays `auto` where there is nothing to decide: on other devices than a CPU, under
    XLA, and in a run that began without a decision.

    Args:
        config: of this command.
        first: what the run began with; None at its start, and where this worker is not
            the chief.
        device: kind of device that the replicas run on: `CPU`, `GPU` or `TPU`.
        workers: the workers of the run, which all take the chief's decision.

    Raises:
        UserError: the run needs native operations, and they cannot be compiled here.
    """
    settings = config.training
    usable = device == "CPU" and not settings.jit_compile
    choice: str | bool = settings.native_ops
    if choice == "auto" and first is not None:
        choice = first.training.native_ops
    elif choice == "auto" and usable:
        choice = compiled() is not None
    numbers = workers.gather(CHOICES.index(choice))
    if settings.native_ops == "auto":
        choice = CHOICES[numbers[0]]
    if choice is True and usable and not compiled():
        raise UserError(explain_missing(settings))
    settings = settings.model_copy(update={"native_ops": choice})
    return config.model_copy(update={"training": settings})


def explain_missing(settings: TrainingConfig) -> str:
    why = "is true" if settings.native_ops is True else "was true when this run began"
    return (
        f"training.native_ops {why}, but native operations cannot be used here: "
        f"{VARIABLE}=0 is set, or the warning above says why. Install a C++ compiler, "
        "or train in another --workdir with --set training.native_ops=false"
    )
