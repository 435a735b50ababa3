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

    Args:
        model: writes the captions with its current weights.
        records: with a split dev.
        config: number of photos, settings of the search.

    Raises:
        UserError: a photo has no reference with a word.
    """

    def __init__(self, model: CaptioningModel, records: RecordSet, config: Config):
        self.model, self.records = model, records
        count = config.training.score_photos
        self.references = dict(islice(read_texts(records, "dev"), count))
        # Now, and not after an epoch, what cannot be scored is refused.
        scoring.normalized(dict.fromkeys(self.references, ""), self.references)
        greedy = {"beam_width": 1, "consensus": None, "sampling": None}
        self.write = make_caption_function(model, records, config.decoding, **greedy)

    @classmethod
    def of(
        cls, model: CaptioningModel, records: RecordSet, config: Config
    ) -> "DevScores | None":
        """Returns the scores of a run; None if it scores no photos."""
        return cls(model, records, config) if config.training.score_photos else None

    def compute(self) -> dict[str, float]:
        """Returns CIDEr and BLEU-4 of the model's captions, as fractions."""
        column = "features" if self.model.encoder is None else "encoded"
        numbers = range(len(self.references))
        captions: dict[str, str] = {}
        for batch in photo_batches(self.records, "dev", BATCH, column, numbers):
            texts = self.write(self.inputs(batch)).numpy()
            names = batch["photo_id"].numpy()
            captions |= {n.decode(): text.decode() for n, text in zip(names, texts)}
        scores = scoring.score(captions, self.references).corpus
        return {name: scores[name] for name in SCORES}

    def inputs(self, batch: Batch) -> Batch:
        """Returns features; or pixels, if the model has an encoder."""
        if self.model.encoder is None:
            return {"features": batch["features"]}
        encoder = self.records.manifest.encoder
        return {"pixels": whole_photos(encoder, batch["encoded"])}
