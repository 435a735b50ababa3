"""Splits captions into the words that coco-caption scores, without Java.

coco-caption writes captions to a file, one a line. It splits the file by the Penn
Treebank tokenizer of Stanford CoreNLP 3.4.1 (options `-preserveLines -lowerCase`) and
drops punctuation. This module runs the same automaton (`tfcap.metrics.ptb_tables`) with
the same actions over the same text. A full stop at the end of a caption may therefore
depend on how the next caption begins.

A contraction is two words ("dog 's", "is n't"). Parts joined by a hyphen, a slash or a
full stop are one word ("t-shirt"). Brackets and signs such as "$" stay as words.
"""

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tfcap.metrics.ptb_tables import Tables, load_tables, units

PUNCTUATION = {"''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-"}
PUNCTUATION |= {".", "?", "!", ",", ":", "-", "--", "...", ";"}
START = 2  # the automaton's state before a token: traditional treebank
NEWLINE, SKIPPED = 5, (1, 7, 23)
LINE_ENDS = re.compile("[\r\v\f\u2028\u2029]")
LONE_SURROGATES = re.compile("[\ud800-\udfff]")
WORD = re.compile("(?:[cw]m*(?:jm*(?=[cw]))?|dm*)+")  # over `kind_of_letter`
IDEOGRAPHS = re.compile("[\u3005\u3041-\u30fe\u3400-\u9fff\uf900-\ufaff]")
MODIFIERS = re.compile(
    "[\u02b0-\u02b8\u02c0-\u02c1\u02e0-\u02e4\u0345\u037a\u1d2c-\u1d61"
    "\u2160-\u217f\u24b6-\u24e9]"
)


class Lines(NamedTuple):
    """The words of captions.

    Attributes:
        words: words of each caption, separated by spaces.
        exact: whether coco-caption gives the same words. A line end inside a caption
            shifts its captions; here each caption keeps its words.
    """

    words: list[str]
    exact: bool


def tokenize(captions: Sequence[str]) -> Lines:
    """Splits captions into words as coco-caption does, all of a file together.

    >>> tokenize(["12:30pm :)", "A man's t-shirt, isn't it?"]).words
    ['12:30 pm :-rrb-', "a man 's t-shirt is n't it"]
    """
    lines = [caption.replace("\n", " ") for caption in captions]
    ends = [*itertools.accumulate(len(units(line)) + 1 for line in lines)]
    tokens = list(lex("\n".join(lines)))
    newlines = [token.start for token in tokens if token.text is None]
    if newlines == [end - 1 for end in ends[:-1]]:
        return Lines(join_words(tokens, len(lines)), True)
    words = [join_words([*lex(LINE_ENDS.sub(" ", line))], 1)[0] for line in lines]
    return Lines(words, False)


def join_words(tokens: Sequence["Token"], count: int) -> list[str]:
    """Joins the tokens of each of `count` lines and drops punctuation.

    coco-caption strips white space at the end of a line, which may be part of an
    address (U+00A0). It then splits the line at its spaces, also inside a tag.
    """
    lines: list[list[str]] = [[] for _ in range(count)]
    number = 0
    for token in tokens:
        if token.text is None:
            number += 1
        else:
            lines[number].append(token.text)
    rows = (" ".join(line).rstrip().split(" ") for line in lines)
    return [" ".join(word for word in row if word not in PUNCTUATION) for row in rows]


class Token(NamedTuple):
    """A token.

    Attributes:
        start: its first UTF-16 unit.
        text: the token in lower case; None for the end of a line.
    """

    start: int
    text: str | None


def lex(text: str) -> Iterator[Token]:
    """Yields the tokens of a text, the longest possible one at each position."""
    lexer, start = Lexer(load_tables(), text), 0
    while start < len(lexer.classes):
        end, action = lexer.match(start)
        token, end = lexer.act(action, start, end)
        if action == NEWLINE:
            yield Token(start, None)
        elif token is not None:
            yield Token(start, LONE_SURROGATES.sub("?", lower(token)))
        start = end


def lower(text: str) -> str:
    """Returns a text in lower case, as Java does.

    A capital sigma has another lower case at the end of a word. To Java, a word may
    contain digits and single hyphens, quotes and full stops; to Python, it may not.

    >>> lower("ΟΔΟΣ"), lower("ΟΔΟΣ-Α")
    ('οδος', 'οδοσ-α')
    """
    if "Σ" not in text:
        return text.lower()
    kinds = "".join(map(kind_of_letter, text))
    for word in WORD.finditer(kinds):
        first, last = kinds.find("c", *word.span()), kinds.rfind("c", *word.span())
        if first < last and text[last] == "Σ":
            text = text[:last] + "ς" + text[last + 1 :]
    return text.replace("Σ", "\u03c3").lower()


def kind_of_letter(character: str) -> str:
    """Returns one of five kinds, or a space for any other character.

    `c` is a letter with cases, `w` a letter without, `d` a digit, `m` a mark, and `j` a
    character that joins two parts of a word.
    """
    kind = unicodedata.category(character)
    if kind in ("Lu", "Ll", "Lt") or MODIFIERS.match(character):
        return "c"
    if kind in ("Pd", "Pc") or character in "\u2027\"'.":
        return "j"
    if kind in ("Mn", "Me", "Cf"):
        return "m"
    if kind[0] == "N":
        return "d"
    return "w" if kind[0] in "LM" and not IDEOGRAPHS.match(character) else " "


class Lexer:
    """The automaton over one text. Positions count UTF-16 units.

    Args:
        tables: tables of the automaton.
        text: the text to split.
    """

    def __init__(self, tables: Tables, text: str):
        self.tables, self.content = tables, text.encode("utf-16-le", "surrogatepass")
        self.classes = tables.classes[units(text)].tolist()

    def text(self, start: int, end: int) -> str:
        return self.content[2 * start : 2 * end].decode("utf-16-le", "surrogatepass")

    def match(self, start: int) -> tuple[int, int]:
        """Returns the end of the longest token at `start`, and its rule's number."""
        _, rows, transitions, final, last, actions = self.tables
        state, end, action = START, start, 0
        for position in range(start, len(self.classes)):
            state = transitions[rows[state] + self.classes[position]]
            if state < 0:
                break
            if final[state]:
                end, action = position + 1, actions[state]
                if last[state]:
                    break
        return end, action

    def look_back(self, first: int, second: int, start: int, end: int) -> int:
        """Returns where the token of a rule `token / context` ends.

        Args:
            first: state from which the token is matched, forwards from `start`.
            second: state from which the context is matched, backwards from `end`.
            start: start of the token.
            end: end of the context.
        """
        _, rows, transitions, final, _, _ = self.tables
        possible_ends, state = set(), first
        for position in range(start, end + 1):
            if final[state]:
                possible_ends.add(position)
            if position == end:
                break
            state = transitions[rows[state] + self.classes[position]]
            if state < 0:
                break
        position, state = end, second
        while position not in possible_ends or not final[state]:
            position -= 1
            state = transitions[rows[state] + self.classes[position]]
        return position

    def act(self, action: int, start: int, end: int) -> tuple[str | None, int]:
        """Returns the text of a rule's token, and where the next token begins.

        The text is None if the rule gives no token.
        """
        if action in SKIPPED or action == NEWLINE:
            return None, end
        if action in LOOK_BACK:
            end = self.look_back(*LOOK_BACK[action], start, end)
        if action in TRIMMED:
            while end > start and self.text(end - 1, end) in " \t\n\v\f\r\x85":
                end -= 1
        if action == QUOTE:
            end = start + 1
        back = PUSHED_BACK.get(action, 0)
        text = self.text(start, end - back)
        if action in FULL_STOP:  # it is part of the token, and the next token too
            alone = action == SHORTEST and end - start == 2
            return self.text(start, end - 1 if alone else end), end - 1
        return CHANGES.get(action, str)(text), end - back


def without_soft_hyphens(text: str) -> str:
    return text.replace("\xad", "") or "-"


def substitution(*pairs: tuple[str, str]) -> Callable[[str], str]:
    """Returns a function that replaces each pattern of a text, in this order."""

    def substitute(text: str) -> str:
        for pattern, replacement in pairs:
            text = re.sub(pattern, replacement, text)
        return text

    return substitute


DIRECTED_QUOTES = (
    ("[\x91\u2018\u201b\u2039]", "`"),
    ("[\x92\u2019\u203a]", "'"),
    ("[\x93\u201c\xab]", "``"),
    ("[\x94\u201d\xbb]", "''"),
)
SINGLE, DOUBLE = "&apos;|'", '"|&quot;'
PARENTHESES = (r"\(", "-LRB-"), (r"\)", "-RRB-")
UNBROKEN = (" ", "\xa0")
FRACTIONS = ("¼", "1/4"), ("½", "1/2"), ("¾", "3/4"), ("⅓", "1/3"), ("⅔", "2/3")
CURRENCIES = ("¢", "cents"), ("£", "#"), ("[\x80¤₠€]", "$")

# The keys are numbers of rules. The token of any other rule is the text as it stands.
LOOK_BACK = {24: (13, 14), 30: (3, 4), 40: (5, 6), 41: (16, 17), 43: (15, 14)}
LOOK_BACK |= {44: (9, 10), 47: (7, 8), 49: (11, 12)}
TRIMMED = (44, 47)
QUOTE = 35
FULL_STOP = (33, 47, 49)
SHORTEST = 47
PUSHED_BACK = {25: 1, 26: 1, 32: 1, 34: 1, 36: 1, 42: 2, 46: 1, 48: 2, 50: 3, 51: 1}
PUSHED_BACK |= {53: 4}
CHANGES: dict[int, Callable[[str], str]] = {
    2: lambda _: "<",
    4: lambda text: "--" if len(text) in (3, 4) else text,
    10: lambda _: ">",
    11: lambda _: "--",
    13: lambda _: "...",
    14: substitution(*FRACTIONS),
    15: substitution(*CURRENCIES),
    16: lambda _: "-RCB-",
    17: lambda _: "-LRB-",
    18: lambda _: "-RRB-",
    20: lambda _: "-LCB-",
    21: lambda _: "-RSB-",
    22: lambda _: "-LSB-",
    54: substitution(UNBROKEN, *PARENTHESES),
    **dict.fromkeys((6, 12, 29, 30, 32, 40, 46), without_soft_hyphens),
    **dict.fromkeys(
        (8, 36), substitution((SINGLE, "'"), (DOUBLE, "''"), *DIRECTED_QUOTES)
    ),
    **dict.fromkeys(
        (26, 35), substitution((SINGLE, "`"), (DOUBLE, "``"), *DIRECTED_QUOTES)
    ),
    **dict.fromkeys((27, 38, 39), substitution(UNBROKEN)),
    **dict.fromkeys((28, 34), substitution(*PARENTHESES)),
    **dict.fromkeys((37, 51), substitution(("(?i)&amp;", "&"))),
}
