"""The package KerasHub, an extra: found when an encoder needs it."""

from types import ModuleType

from records.errors import UserError
from records.extras import install_command, missing_extra
from tfcap.encoders.backbone import on_one_line


def import_keras_hub() -> ModuleType:
    """Imports KerasHub, which registers its classes with Keras.

    Raises:
        UserError: it is not installed, or does not fit what is.
    """
    try:
        import keras_hub
    except ModuleNotFoundError as error:
        raise missing_extra(error) or does_not_fit(error) from None
    except ImportError as error:
        raise does_not_fit(error) from None
    return keras_hub


def does_not_fit(error: ImportError) -> UserError:
    return UserError(
        f"keras-hub is installed and cannot be imported: {on_one_line(error)}; install "
        f"it again with what it needs: {install_command('hub')}"
    )
