"""Reading YAML that somebody else wrote: small files stay small."""

import yaml

MOST_ALIASES = 16


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
