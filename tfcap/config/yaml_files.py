"""Reads untrusted YAML within bounds of memory and time."""

from typing import Any, ClassVar

import yaml

from records.errors import UserError
from records.storage.files import read_file, reason

MOST_ALIASES = 16
MAX_BYTES = 1 << 20
DIGITS = 100  # of an integer, whatever its base
DATE = "tag:yaml.org,2002:timestamp"
NOT_JSON = {
    DATE,
    *(f"tag:yaml.org,2002:{name}" for name in ("binary", "omap", "pairs", "set")),
}


def read_yaml(path: str, loader: type["BoundedLoader"], prefix: str = "") -> Any:
    """Reads a YAML file.

    Args:
        path: the file.
        loader: the class of the loader.
        prefix: of messages, such as the option that names the file.

    Raises:
        UserError: it cannot be read, is no regular file, is too large or not YAML.
    """
    try:
        text = read_file(path, MAX_BYTES)
    except OSError as error:
        raise UserError(f"{prefix}cannot read {path}: {reason(error)}") from None
    return parse_yaml(text, path, loader, prefix)


def parse_yaml(
    text: bytes, path: str, loader: type["BoundedLoader"], prefix: str = ""
) -> Any:
    """Parses the content of a YAML file; arguments and errors as of `read_yaml`."""
    try:
        return yaml.load(text.decode(), loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise UserError(f"{prefix}{path} is not YAML: {problem}") from None


class BoundedLoader(yaml.SafeLoader):
    """A safe loader of JSON's types that bounds aliases and integers.

    Aliases of aliases multiply: nine lines of nine can stand for a billion values once
    they are written out or merged. A date is read as text. An integer has at most
    `DIGITS` digits, which Python can write out again. Errors are `yaml.YAMLError`.
    """

    yaml_constructors: ClassVar = {
        tag: construct
        for tag, construct in yaml.SafeLoader.yaml_constructors.items()
        if tag not in NOT_JSON
    }

    def __init__(self, stream: str):
        super().__init__(stream)
        self._aliases = 0

    def get_single_data(self) -> Any:
        try:
            return super().get_single_data()
        except RecursionError:
            raise yaml.YAMLError("it is nested too deeply") from None
        except (ValueError, ArithmeticError) as error:  # raised by int and float
            raise yaml.YAMLError(f"it holds no number: {error}") from None

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > DIGITS:
            mark = node.start_mark
            raise yaml.YAMLError(
                f"an integer of {len(node.value):,} digits in line {mark.line + 1}; "
                f"{DIGITS} at most"
            )
        return super().construct_yaml_int(node)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self._aliases += 1
            anchor = self.peek_event().anchor
            if self._aliases > MOST_ALIASES:
                raise yaml.YAMLError(f"it has more than {MOST_ALIASES} aliases (*name)")
            # A list or mapping has its end mark only after its content.
            if anchor in self.anchors and self.anchors[anchor].end_mark is None:
                raise yaml.YAMLError(f"&{anchor} holds itself")
        return super().compose_node(parent, index)


BoundedLoader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != DATE]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
BoundedLoader.add_constructor("tag:yaml.org,2002:int", BoundedLoader.construct_yaml_int)
