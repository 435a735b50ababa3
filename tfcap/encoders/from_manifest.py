"""Loads the encoder that a manifest describes, even if its file moved.

`records` does not import encoders. `python -m records verify --sample` finds
`load_recorded` by the entry point group `records.encoders` (pyproject.toml).
"""

from collections.abc import Mapping

from records.errors import UserError
from records.format.manifest import FILE_NAME, Manifest
from tfcap.config.encoder import EncoderConfig
from tfcap.config.saved import parse_recipe
from tfcap.encoders.encoder import Encoder, load_encoder


def load_recorded(manifest: Manifest, files: Mapping[str, str]) -> Encoder:
    """Loads the encoder by the configuration that the manifest keeps.

    Args:
        manifest: Manifest of the record set.
        files: New path of the encoder's file, if it moved, by kind: `weights` of a
            network of Keras, `model` or `preset`.

    Returns:
        An encoder. Its digest may differ from the manifest's.

    Raises:
        UserError: There is no such encoder or file. The message says how to name it.
    """
    recipe = parse_recipe(manifest.configuration, f"configuration in {FILE_NAME}")
    config = moved(recipe.encoder, files)
    try:
        return load_encoder(config)
    except UserError as error:
        option = "" if files else f" (here: --encoder_{config.file_key})"
        raise UserError(f"{error}{option}") from None


def moved(config: EncoderConfig, files: Mapping[str, str]) -> EncoderConfig:
    """Returns the configuration with the new paths of `files`, as in `load_recorded`.

    Raises:
        UserError: The encoder has no file of that kind.
    """
    for key in files:
        if key != config.file_key:
            raise UserError(
                f"--encoder_{key}: the encoder is {config.name or config.file}; "
                f"where its file lies is said with --encoder_{config.file_key}"
            )
    return config.model_copy(update=dict(files))
