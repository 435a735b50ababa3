"""Self-critical training: captions drawn from the model, rewarded by CIDEr-D.

Source: Rennie, Marcheret, Mroueh, Ross and Goel, "Self-critical Sequence Training for
Image Captioning", CVPR 2017. The baseline is the mean of the photo's other captions, as
in Luo, "A Better Variant of Self-Critical Sequence Training", 2020.

All of it runs in the graph of the step, on each replica for its own photos, without
calls to Python. Every strategy that trains by cross-entropy also trains by this.
"""

from dataclasses import dataclass

import tensorflow as tf

from records.format.record_set import RecordSet
from records.text.vocabulary import PAD_ID
from tfcap.config.decoding import ResolvedDecoding, SamplingConfig
from tfcap.config.experiment import Config
from tfcap.config.training import SelfCriticalConfig
from tfcap.data.pipeline import Batch
from tfcap.decoding.greedy import greedy_search
from tfcap.decoding.logits_processors import LogitsProcessor
from tfcap.decoding.sampling import draw, sampler
from tfcap.metrics.cider import CiderD
from tfcap.models.base import CaptioningModel, Context
from tfcap.ops.cross_entropy import smoothed_cross_entropy
from tfcap.ops.packed_tokens import PackedTokens
from tfcap.ops.random import fold_in, row_seeds, uniform


@dataclass(frozen=True)
class GreedyReward:
    """The objective of the dev split: minus the reward of greedy captions.

    Attributes:
        decoding: gives the maximum length; its other settings are ignored.
        rules: bans tokens.
        rewards: scores captions of the split's photos.
    """

    decoding: ResolvedDecoding
    rules: LogitsProcessor
    rewards: CiderD

    def losses(
        self, model: CaptioningModel, batch: Batch, seed: None = None
    ) -> tf.Tensor:
        """Returns minus the reward of each photo's caption, float32 [photos]."""
        context = model.encode(batch["features"])
        written = greedy_search(model, context, self.decoding, self.rules).tokens
        return -reward_of(self.rewards, written, batch)[:, 0]

    def count(self, batch: Batch) -> tf.Tensor:
        return count_described(batch)


@dataclass(frozen=True)
class SelfCritical:
    """The objective that replaces cross-entropy in `make_train_step`.

    Attributes:
        config: number of captions, baseline and dropout.
        decoding: gives the maximum length; its other settings are ignored.
        rules: bans tokens, which are neither drawn nor trained.
        rewards: scores captions of the training photos.
        dev: the objective of the dev split.
    """

    config: SelfCriticalConfig
    decoding: ResolvedDecoding
    rules: LogitsProcessor
    rewards: CiderD
    dev: GreedyReward

    @classmethod
    def of(cls, config: Config, records: RecordSet) -> "SelfCritical | None":
        """Returns the objective of a run; None if it trains by cross-entropy."""
        if config.training.self_critical is None:
            return None
        longest = records.manifest.longest_training_caption
        length = config.decoding.resolve_max_length(longest).max_length
        decoding = ResolvedDecoding(
            beam_width=1, max_length=length, sampling=SamplingConfig()
        )
        rules = LogitsProcessor.of(decoding, records.vocabulary)
        return cls(
            config.training.self_critical,
            decoding,
            rules,
            CiderD.of_split(records, "train"),
            GreedyReward(decoding, rules, CiderD.of_split(records, "dev")),
        )

    def losses(
        self, model: CaptioningModel, batch: Batch, seed: tf.Tensor
    ) -> tf.Tensor:
        """Draws captions; returns minus the reward of each.

        The gradient of a loss is not that of its value but REINFORCE's estimate of the
        expected reward's: the advantage (reward minus baseline) times the gradient of
        the caption's negative log-probability.

        Args:
            model: draws the captions and is differentiated.
            batch: of the causal expansion; its targets are the references.
            seed: of each photo's captions and dropout, int32 [photos].

        Returns:
            float32 [photos * samples].
        """
        photos = tf.shape(batch["features"])[0]
        photo = tf.repeat(tf.range(photos), self.config.samples)
        seeds = row_seeds(seed, photo)
        captions = self.draw(model, batch, seeds)
        reward = reward_of(self.rewards, captions, batch)
        advantage = tf.stop_gradient(reward - self.baseline(model, reward, batch))
        if not self.config.dropout:
            seed = seeds = None
        rows = model.encode(batch["features"], seed).select_rows(photo)
        captions = tf.reshape(captions, [tf.size(photo), -1])
        surprise = self.surprise(model, rows, captions, seeds)
        surrogate = tf.reshape(advantage, [-1]) * surprise
        return with_gradient_of(surrogate, -tf.reshape(reward, [-1]))

    def count(self, batch: Batch) -> tf.Tensor:
        """Returns the number of captions drawn of photos with a reference, int64."""
        return count_described(batch) * self.config.samples

    def draw(self, model: CaptioningModel, batch: Batch, seeds: tf.Tensor) -> tf.Tensor:
        """Draws captions without dropout, int32 [photos, samples, length].

        Args:
            model: draws the captions.
            batch: with features.
            seeds: of the captions, int32 [photos * samples].
        """

        def numbers(position: tf.Tensor) -> tf.Tensor:
            return uniform(fold_in(seeds, position))

        context, samples = model.encode(batch["features"]), self.config.samples
        choose = sampler(SamplingConfig(), numbers)
        return draw(model, context, self.decoding, self.rules, samples, choose).tokens

    def baseline(
        self, model: CaptioningModel, reward: tf.Tensor, batch: Batch
    ) -> tf.Tensor:
        """Returns the baseline of each caption, which broadcasts with `reward`."""
        if self.config.baseline == "greedy":
            greedy = GreedyReward(self.decoding, self.rules, self.rewards)
            return -greedy.losses(model, batch)[:, tf.newaxis]
        others = tf.reduce_sum(reward, 1, keepdims=True) - reward
        return others / (self.config.samples - 1)

    def surprise(
        self,
        model: CaptioningModel,
        context: Context,
        written: tf.Tensor,
        seeds: tf.Tensor | None,
    ) -> tf.Tensor:
        """Returns the negative log-probability of captions, float32 [rows].

        An `<end>` at the last possible position does not count: it is forced there.

        Args:
            model: the model.
            context: of the rows.
            written: captions with `<start>`, int32 [rows, length].
            seeds: for dropout, int32 [rows]; None without.
        """
        longest = tf.reduce_max(tf.math.count_nonzero(written, 1, dtype=tf.int32))
        prefix, target = written[:, : longest - 1], written[:, 1:longest]
        drawn = tf.range(1, longest) < self.decoding.max_length - 1
        target = tf.where(drawn, target, PAD_ID)
        text = PackedTokens.of(tf.where(target != PAD_ID, prefix, PAD_ID))
        hidden = model.read(context, text, seeds)
        logits = model.predict_token(hidden, text.seeds(seeds)) + self.rules.banned_mask
        each = smoothed_cross_entropy(logits, text.pack(target), 0.0)
        # Not a segment sum, whose threads add in a varying order.
        return tf.reduce_sum(text.unpack(each), 1)


@tf.custom_gradient
def with_gradient_of(surrogate: tf.Tensor, value: tf.Tensor) -> tuple:
    """Returns `value`, with the gradient of `surrogate`."""
    return value, lambda upstream: (upstream, None)


def reward_of(rewards: CiderD, written: tf.Tensor, batch: Batch) -> tf.Tensor:
    """Returns the CIDEr-D of captions, float32 [photos, n].

    Captions of a photo without references have a reward of 0.

    Args:
        rewards: scores captions against the references of their photo.
        written: captions with `<start>`, int32 [photos, n, length].
        batch: its targets are the references.
    """
    target = tf.pad(batch["target"], [[0, 0], [0, 3]])  # room for a 4-gram
    return rewards.score(written[:, :, 1:], target, batch["photo"])


def count_described(batch: Batch) -> tf.Tensor:
    """Returns the number of photos that have a caption, int64."""
    has_words = batch["target"][:, 0] != PAD_ID
    photos = tf.unique(tf.boolean_mask(batch["photo"], has_words)).y
    return tf.size(photos, tf.int64)
