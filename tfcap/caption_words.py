"""The words of a caption as coco-caption takes them, in pure Python.

coco-caption runs the Penn Treebank tokenizer of Stanford CoreNLP 3.4.1, in Java, in
lower case, and drops punctuation. These are its rules as far as captions go: what it
makes of all 40,460 captions of Flickr8k is the same, token by token. A contraction is
two words ("dog 's", "is n't"); what is joined by a hyphen, a slash or a full stop is
one ("t-shirt"); brackets, and signs such as "$", stay as words.
"""

import re
import unicodedata

PUNCTUATION = re.compile(
    r"""[?!] | [-.,:;'"`\u2013\u2014\u2026\u201c\u201d\u2018\u2019]+""", re.VERBOSE
)
ABBREVIATIONS = (
    "mr|mrs|ms|dr|prof|st|jr|sr|vs|etc|no|inc|co|corp|ltd|mt|ft|lt|col|gen|sgt|rev|gov|"
    "sen|rep|ave|blvd|rd|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec"
)
SIGNS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-"}
SIGNS |= {"}": "-rcb-", "\u00a3": "#", "\u20ac": "$"}
LETTER = r"[^\W\d_]"
TOKEN = re.compile(
    rf"""
      https?://\S+ | \S+@\S+\.\w+                       # addresses
    | (?:{LETTER}\.)+(?!\w)                             # u.s., the letter P.
    | (?i:{ABBREVIATIONS})\.
    | 'n'?(?!\w) | '(?:tis|twas|em|til|cause|\d\ds)\b   # rock 'n' roll, '90s
    | '(?:s|m|d|re|ve|ll)\b                             # of "dog 's"
    | [A-Z]+(?:&[A-Z]+)+                                # AT&T, but not at&t
    | \.?\d+(?:[.,:/]\d+)*(?:[-\w]*\w)?                 # 10,000, 4x4, 3-wheeled
    | (?:@|\#(?=[^\W\d]))?\w+(?:[-/_.?']\w+)*          # t-shirt, man/woman, o'clock
    | \.{{2,}} | -{{2,}} | [?!]+ | \S
    """,
    re.VERBOSE,
)
CONTRACTION = re.compile(r"(\w.*?)(n't|'s|'m|'d|'re|'ve|'ll|')$")
TWO_WORDS = {
    "cannot": "can not",
    "gonna": "gon na",
    "gotta": "got ta",
    "wanna": "wan na",
    "lemme": "lem me",
    "gimme": "gim me",
    "'tis": "'t is",
    "'twas": "'t was",
}


def caption_words(caption: str) -> list[str]:
    """Lower-cased words of a caption; none of one that has nothing but punctuation.

    >>> caption_words("A man's t-shirt, isn't it?")
    ['a', 'man', "'s", 't-shirt', 'is', "n't", 'it']
    """
    text = unicodedata.normalize("NFC", caption).replace("\u2019", "'")
    words = (word for token in TOKEN.findall(text) for word in parts(token.lower()))
    return [word for word in words if not PUNCTUATION.fullmatch(word)]


def parts(token: str) -> list[str]:
    """A token, or the words that are joined in it."""
    if token in TWO_WORDS:
        return TWO_WORDS[token].split()
    if found := CONTRACTION.match(token):
        return [*parts(found[1]), found[2]]
    return [SIGNS.get(token, token)]
