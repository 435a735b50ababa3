"""Exports whose weights are random: only their speed matters."""

from dataclasses import dataclass
from pathlib import Path

from records.format.record_set import RecordSet
from tests.benchmarks.common import experiment
from tests.benchmarks.measures import never_end
from tests.benchmarks.record_set import make_record_set
from tfcap.config.decoding import ResolvedDecoding
from tfcap.config.encoder import NetworkConfig
from tfcap.encoders import Encoder, load_encoder
from tfcap.export.saved_model import export
from tfcap.export.signatures import PhotoCaptioner
from tfcap.models import build_model
from tfcap.models.base import CaptioningModel

INCEPTION = NetworkConfig(name="inception_v3", weights="random")
LONGEST = 34  # tokens


@dataclass(frozen=True)
class RandomModel:
    """InceptionV3 and the notebook's model, which goes to the full length every time.

    No caption of an untrained model ends by itself in a natural number of words; the
    full length is the most work there can be.
    """

    encoder: Encoder
    model: CaptioningModel
    records: RecordSet

    @classmethod
    def make(cls, folder: Path) -> "RandomModel":
        """With records for its vocabulary, in `folder`."""
        folder.mkdir()
        records = make_record_set(str(folder), 64)
        config = experiment("causal", 64)
        model = build_model(config, records.manifest, records.vocabulary)
        never_end(model)
        return cls(load_encoder(INCEPTION), model, records)

    def export(self, folder: Path, beam_width: int = 3) -> str:
        """The directory of its export."""
        decoding = ResolvedDecoding(beam_width=beam_width, max_length=LONGEST)
        manifest, words = self.records.manifest, self.records.vocabulary
        parts = self.encoder, self.model, words, manifest.tokenizer, decoding
        export(PhotoCaptioner(*parts, manifest.features.dtype), str(folder))
        return str(folder)
