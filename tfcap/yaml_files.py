"""Reading YAML that somebody else wrote: small files stay small."""

from typing import Any

import yaml

from records.errors import UserError
from records.files import read_file, reason

MOST_ALIASES = 16
MAX_BYTES = 1 << 20


def read_yaml(path: str, loader: type["BoundedLoader"], prefix: str = "") -> Any:
    """Reads a YAML file.

    Args:
        prefix: of messages: which option names the file.

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
    """As `read_yaml`, of what a file holds."""
    try:
        return yaml.load(text.decode(), loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise UserError(f"{prefix}{path} is not YAML: {problem}") from None


class BoundedLoader(yaml.SafeLoader):
    """A safe loader for a few aliases, none of which holds itself.

    Aliases of aliases multiply: nine lines of nine can stand for a billion values, as
    soon as they are written out or merged. Errors are `yaml.YAMLError`.
    """

    def __init__(self, stream):
        super().__init__(stream)
        self._aliases, self._unfinished = 0, []

    def get_single_data(self):
        try:
            return super().get_single_data()
        except RecursionError:
            raise yaml.YAMLError("it is nested too deeply") from None

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            self._aliases += 1
            anchor = self.peek_event().anchor
            if self._aliases > MOST_ALIASES:
                raise yaml.YAMLError(f"it has more than {MOST_ALIASES} aliases (*name)")
            if anchor in self._unfinished:
                raise yaml.YAMLError(f"&{anchor} holds itself")
        return super().compose_node(parent, index)

    def compose_sequence_node(self, anchor):
        return self._compose(super().compose_sequence_node, anchor)

    def compose_mapping_node(self, anchor):
        return self._compose(super().compose_mapping_node, anchor)

    def _compose(self, compose, anchor):
        self._unfinished.append(anchor)
        node = compose(anchor)
        self._unfinished.pop()
        return node
