import math

import pytest
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from records.errors import UserError
from tfcap.metrics import scoring

REFERENCES = {
    "b.jpg": ["Two cats sleep on a red sofa.", "Cats on a sofa."],
    "a.jpg": ["A black dog runs over the green grass.", "A dog runs on a lawn."],
    "c.jpg": ["A man climbs a steep rock.", "Someone is climbing."],
}
PERFECT = {photo: texts[0] for photo, texts in REFERENCES.items()}


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A Dog.", "a dog"),
        ("  the dog's\tball ,\n", "the dog 's ball"),
        ("t-shirt!", "t-shirt"),
        ("CAFE\u0301", "cafe\u0301"),  # another word to coco-caption than "café"
        ("一只狗，在跑。", "一 只 狗 在 跑"),
        ("สุนัขวิ่ง", "สุ นั ข วิ่ ง"),
        ("...", ""),
    ],
)
def test_normalize(caption, expected):
    assert scoring.normalize(caption) == expected
    assert scoring.normalize(expected) == expected


def test_bleu_of_a_known_pair():
    # 4 words, 3 of them in the reference; 1 pair of 3; one word short of 5.
    scores = scoring.score({"p": "a dog runs fast"}, {"p": ["the big dog runs fast"]})
    brevity = math.exp(1 - 5 / 4)
    assert scores.corpus["bleu_1"] == pytest.approx(3 / 4 * brevity)
    assert scores.corpus["bleu_2"] == pytest.approx(
        math.sqrt(3 / 4 * 2 / 3) * brevity, rel=1e-6
    )


def test_bleu_of_the_corpus_is_not_the_mean_over_photos():
    captions = {"p": "a dog", "q": "one two three four"}
    references = {"p": ["a dog"], "q": ["one x y z"]}
    scores = scoring.score(captions, references)
    assert scores.corpus["bleu_1"] == pytest.approx((2 + 1) / (2 + 4))
    assert scores.per_photo["p"]["bleu_1"] == pytest.approx(1)
    assert scores.per_photo["q"]["bleu_1"] == pytest.approx(1 / 4)
    matches, possible, lengths = [2, 1, 0, 0], [2, 1, 0, 0], [2, 2]
    assert scores.bleu_counts[0].tolist() == [*matches, *possible, *lengths]
    assert scores.bleu_counts[1].tolist() == [1, 0, 0, 0, 4, 3, 2, 1, 4, 4]


def test_rouge_l_of_a_known_pair():
    # Longest common subsequence "dog runs fast": 3 of 4 words, 3 of 5. Beta is 1.2.
    scores = scoring.score({"p": "a dog runs fast"}, {"p": ["the dog then runs fast"]})
    precision, recall, beta = 3 / 4, 3 / 5, 1.2
    f = (1 + beta**2) * precision * recall / (recall + beta**2 * precision)
    assert scores.corpus["rouge_l"] == pytest.approx(f)
    assert scores.per_photo["p"]["rouge_l"] == pytest.approx(f)


def test_cider_of_a_perfect_pair_is_ten():
    texts = {"p": "a b c d e", "q": "f g h i j"}
    scores = scoring.score(texts, {photo: [text] for photo, text in texts.items()})
    assert scores.corpus["cider"] == pytest.approx(10)


def test_perfect_captions_beat_shuffled_ones_in_everything():
    good = scoring.score(PERFECT, REFERENCES).corpus
    wrong = scoring.score(scoring.mismatched_photos(PERFECT, seed=0), REFERENCES).corpus
    assert tuple(good) == scoring.NAMES
    for name in scoring.NAMES:
        assert good[name] > wrong[name]
    assert good["bleu_4"] == pytest.approx(1)


def test_scores_do_not_depend_on_order_and_are_plain_floats(capsys):
    scores = scoring.score(PERFECT, REFERENCES)
    backwards = dict(reversed(REFERENCES.items()))
    assert scoring.score(dict(sorted(PERFECT.items())), backwards) == scores
    assert list(scores.per_photo) == ["a.jpg", "b.jpg", "c.jpg"]
    values = [*scores.corpus.values(), *scores.per_photo["a.jpg"].values()]
    assert {type(value) for value in values} == {float}
    assert capsys.readouterr().out == ""


def test_an_empty_caption_counts_as_nothing_right():
    captions = {**PERFECT, "c.jpg": " . "}
    scores = scoring.score(captions, REFERENCES)
    assert set(scores.per_photo["c.jpg"].values()) == {0.0}
    assert scores.corpus["rouge_l"] == pytest.approx(2 / 3)


def test_an_empty_caption_gains_nothing_from_an_empty_reference():
    scores = scoring.score({"p": ""}, {"p": ["a dog", "."]})
    assert set(scores.corpus.values()) == {0.0}


def test_a_single_photo_is_scored():
    scores = scoring.score({"p": "a dog"}, {"p": ["a dog"]})
    assert scores.corpus["cider"] == 0
    assert scores.corpus["bleu_1"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("captions", "references", "message"),
    [
        (
            {"a": "x", "c": "x", "b": "x"},
            {"a": ["x"]},
            "2 photos with .* no references.* 'b'.* 3 photos .* 1 photo\\.",
        ),
        ({"a": "x"}, {"a": ["x"], "b": ["x"]}, "1 .* no caption.* 'b'.* 1 .* 2 "),
        ({"a": "x", "b": "x"}, {"a": ["x"], "b": []}, "no references.* 'b'"),
        ({"a": "x"}, {"a": ["."]}, "no references.* 'a'"),
        ({}, {}, "no captions"),
    ],
)
def test_photos_must_be_the_same(captions, references, message):
    with pytest.raises(UserError, match=message):
        scoring.score(captions, references)


CHINESE = {
    "a.jpg": ["一只黑狗在草地上跑。", "一只狗跑过草地"],
    "b.jpg": ["两只猫睡在红沙发上。", "沙发上的猫"],
    "c.jpg": ["一个人在爬山"],
}


def test_scripts_without_spaces_are_scored_by_character():
    captions = {
        "a.jpg": "一只狗在草地上跑",
        "b.jpg": "猫，睡在沙发上",
        "c.jpg": "山 dog",
    }
    found = scoring.score(captions, CHINESE)
    assert found.unit == "character"
    assert found.differs == ("it takes each clause for a word",)
    spaced = {
        p: [" ".join(filter(str.isalpha, t)) for t in CHINESE[p]] for p in CHINESE
    }
    results = {p: [" ".join(filter(str.isalnum, t))] for p, t in captions.items()}
    results["c.jpg"] = ["山 d o g"]
    for name, scorer in (("cider", Cider()), ("rouge_l", Rouge())):
        assert found.corpus[name] == scorer.compute_score(spaced, results)[0]
    bleu, _ = Bleu(4).compute_score(spaced, results, verbose=0)
    assert [found.corpus[name] for name in scoring.NAMES[:4]] == bleu
    assert len(found.bleu_counts) == 3


def test_the_references_decide_what_is_compared():
    mixed = {"p": ["a dog runs", "a 狗 runs"], "q": ["a cat"]}
    assert scoring.score({"p": "一只狗", "q": "a cat"}, mixed).unit == "word"
    assert scoring.score(PERFECT, REFERENCES).differs == ()


def test_where_coco_caption_would_differ_is_said():
    references = {"p": ["a dog\u2028runs", "."], "q": ["a cat"]}
    found = scoring.score({"p": "a dog runs", "q": "a cat"}, references)
    assert found.differs == (
        "it loses its place at line ends inside captions",
        "1 wordless reference left out here",
    )
    assert found.corpus["bleu_1"] == pytest.approx(1)


def test_captions_are_cut_in_the_order_of_photos():
    """As in our results file: a full stop depends on the caption after it."""
    captions = {"b": "5 dogs", "a": "it is No."}
    references = {"b": ["5 dogs"], "a": ["it is No."]}
    texts = scoring.normalized(captions, references)
    assert texts.captions == {"a": ["it is no."], "b": ["5 dogs"]} == texts.references


@pytest.mark.parametrize("photos", [2, 3, 50])
def test_shuffled_is_a_derangement_of_the_same_captions(photos):
    captions = {f"{i:02}.jpg": f"caption {i}" for i in range(photos)}
    mismatched = scoring.mismatched_photos(captions, seed=1)
    assert sorted(mismatched.values()) == sorted(captions.values())
    assert all(mismatched[photo] != captions[photo] for photo in captions)


def test_shuffled_depends_on_the_seed_alone():
    captions = {f"{i:02}.jpg": f"caption {i}" for i in range(50)}
    backwards = dict(reversed(captions.items()))
    assert scoring.mismatched_photos(backwards, seed=1) == scoring.mismatched_photos(
        captions, seed=1
    )
    assert scoring.mismatched_photos(captions, seed=2) != scoring.mismatched_photos(
        captions, seed=1
    )
    assert scoring.mismatched_photos({"p": "x"}, seed=0) == {"p": "x"}


def test_describe():
    captions = {"p": "A dog runs.", "q": "a dog runs", "r": "", "s": "a cat"}
    assert scoring.describe(captions) == {
        "captions": 4,
        "distinct_captions": 3,
        "distinct_words": 4,
        "mean_words": 2.0,
        "empty_captions": 1,
    }
    assert scoring.describe({})["mean_words"] == 0


def test_photos_that_can_be_scored():
    references = {"b": [".", "!"], "a": [".", "a dog"], "c": [], "d": ["cat"]}
    assert scoring.photos_with_words(references) == ["a", "d"]
    assert scoring.photos_with_words({"a": ["."]}) == []
    assert scoring.photos_with_words({"a": ["狗。", "。"], "b": ["。"]}) == ["a"]
