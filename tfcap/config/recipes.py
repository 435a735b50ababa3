"""The packaged configurations, found by name.

`tfcap/config/packaged` is a link to `configs/`, which a wheel holds as files. Its
`index.yaml` describes them.
"""

from pathlib import Path

import yaml

from records.console import suggest
from records.errors import UserError
from records.frozen_model import FrozenModel

DIRECTORY = Path(__file__).with_name("packaged")
INDEX = "index.yaml"


class Recipe(FrozenModel):
    """A packaged configuration, as `tfcap recipes` shows it.

    Attributes:
        trains: what it trains, in a few words.
        cider: in percent; None if it was not measured.
        chose: the scored photos chose settings too, which flatters the score.
        minutes: of training on 2 CPU cores; None if they were not measured.
        memory: peak of training, from records of 4,000 photos; None if not measured.
        disk: size of the features of Flickr8k's 8,091 photos.
        weights: the encoder weights of these figures.
    """

    trains: str
    cider: float | None = None
    chose: bool = False
    minutes: int | None = None
    memory: str | None = None
    disk: str | None = None
    weights: str

    @property
    def score(self) -> str | None:
        """CIDEr as tables show it: in brackets if its photos chose settings."""
        if self.cider is None:
            return None
        return f"({self.cider})" if self.chose else str(self.cider)


def list_recipes() -> dict[str, Recipe]:
    """Returns the packaged configurations by name."""
    content = yaml.safe_load((DIRECTORY / INDEX).read_text(encoding="utf-8"))
    return {name: Recipe.model_validate(entry) for name, entry in content.items()}


def find_recipe(name: str) -> Path:
    """Returns the path of a packaged configuration.

    Raises:
        UserError: there is none of this name.
    """
    recipes = list_recipes()
    if name not in recipes:
        near = suggest(name, recipes)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UserError(
            f"no recipe {name!r}; {hint}expected one of {', '.join(sorted(recipes))}"
        )
    return DIRECTORY / f"{name}.yaml"


def resolve_path(config: str) -> str:
    """Returns the file that `--config` names: a path, or the name of a recipe.

    A name is a recipe's if it has neither a suffix nor a directory and is no file.
    """
    path = Path(config)
    if path.suffix or path.name != config or path.is_file():
        return config
    return str(find_recipe(config))
