"""Scores greedy captions of some dev photos after every epoch."""

from itertools import islice

from records.format.caption_reader import read_texts
from records.format.record_set import RecordSet
from tfcap.config.experiment import Config
from tfcap.data.augmentation import whole_photos
from tfcap.data.pipeline import Batch, photo_batches
from tfcap.metrics import scoring
from tfcap.models.base import CaptioningModel
from tfcap.training.sample_captions import make_caption_function

SCORES = ("cider", "bleu_4")
BATCH = 100


class DevScores:
    """The first dev photos in stored order, whose captions are scored.

    A photo without a reference that has a word is left out.

    Args:
        model: writes the captions with its current weights.
        records: with a split dev.
        config: number of photos, settings of the search.
    """

    def __init__(self, model: CaptioningModel, records: RecordSet, config: Config):
        self.model, self.records = model, records
        count = config.training.score_photos
        texts = dict(islice(read_texts(records, "dev"), count))
        self.count = len(texts)
        self.references = {p: texts[p] for p in scoring.photos_with_words(texts)}
        greedy = {"beam_width": 1, "consensus": None, "sampling": None}
        self.write = make_caption_function(model, records, config.decoding, **greedy)

    @classmethod
    def of(
        cls, model: CaptioningModel, records: RecordSet, config: Config
    ) -> "DevScores | None":
        """Returns the scores of a run; None if it has no photos to score."""
        if not config.training.score_photos:
            return None
        scores = cls(model, records, config)
        return scores if scores.references else None

    def compute(self) -> dict[str, float]:
        """Returns CIDEr and BLEU-4 of the model's captions, as fractions."""
        column = "features" if self.model.encoder is None else "encoded"
        numbers = range(self.count)
        captions: dict[str, str] = {}
        for batch in photo_batches(self.records, "dev", BATCH, column, numbers):
            texts = self.write(self.inputs(batch)).numpy()
            names = batch["photo_id"].numpy()
            captions |= {n.decode(): text.decode() for n, text in zip(names, texts)}
        captions = {photo: captions[photo] for photo in self.references}
        scores = scoring.score(captions, self.references).corpus
        return {name: scores[name] for name in SCORES}

    def inputs(self, batch: Batch) -> Batch:
        """Returns features; or pixels, if the model has an encoder."""
        if self.model.encoder is None:
            return {"features": batch["features"]}
        encoder = self.records.manifest.encoder
        return {"pixels": whole_photos(encoder, batch["encoded"])}
