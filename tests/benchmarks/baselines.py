"""What tfcap is measured against, written as it is usually written.

The generator, the model and the caption loop follow the captioning notebook of Heaton's
course T81-558 (module 10.4), itself after Brownlee's tutorial; the `flat_map` pipeline
is the one that comes to mind first in tf.data.
"""

import itertools
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from keras.utils import pad_sequences, to_categorical

from records.format import schema
from records.format.record_set import RecordSet
from records.text.vocabulary import START
from tfcap.config.model import MergeConfig

PHOTOS_A_BATCH = 3
ROWS_A_BATCH = 64

Descriptions = dict[str, list[str]]
Photos = dict[str, np.ndarray]


def load(records: RecordSet, photos: int) -> tuple[Descriptions, Photos]:
    """The first photos of the training split, in memory, as the notebook has them.

    Captions are text again, `<start>` and `<end>` included, for the generator to look
    up word by word.
    """
    descriptions, features = {}, {}
    tokens = records.vocabulary.tokens
    for photo in itertools.islice(records.records("train"), photos):
        features[photo.photo_id] = photo.features
        texts = [" ".join(tokens[i] for i in caption) for caption in photo.ids]
        descriptions[photo.photo_id] = texts
    return descriptions, features


def generator(
    descriptions: Descriptions, photos: Photos, wordtoidx: dict, max_length: int
) -> Iterator[tuple[tuple[np.ndarray, np.ndarray], np.ndarray]]:
    """One epoch of ((photos, prefixes), one-hot targets), a row per prefix."""
    x1, x2, y = [], [], []
    for n, (key, texts) in enumerate(descriptions.items(), 1):
        photo = photos[key]
        for text in texts:
            seq = [wordtoidx[word] for word in text.split(" ") if word in wordtoidx]
            for i in range(1, len(seq)):
                in_seq, out_seq = seq[:i], seq[i]
                in_seq = pad_sequences([in_seq], maxlen=max_length)[0]
                out_seq = to_categorical([out_seq], num_classes=len(wordtoidx))[0]
                x1.append(photo)
                x2.append(in_seq)
                y.append(out_seq)
        if n % PHOTOS_A_BATCH == 0 or n == len(descriptions):
            yield (np.array(x1), np.array(x2)), np.array(y)
            x1, x2, y = [], [], []


def flat_map_rows(records: RecordSet, photos: int) -> tf.data.Dataset:
    """Batches of ((features, prefix), target): a data set a photo, and one a caption.

    The photo's features are copied into every row.
    """

    def parse(serialized: tf.Tensor):
        batch = schema.parse_batch(serialized[tf.newaxis], records.manifest.features)
        return batch["features"][0], batch["ids"][0]

    def captions(features: tf.Tensor, ids: tf.RaggedTensor) -> tf.data.Dataset:
        texts = tf.data.Dataset.from_tensor_slices(ids)
        return texts.map(lambda caption: (features, caption))

    def prefixes(features: tf.Tensor, caption: tf.Tensor) -> tf.data.Dataset:
        ends = tf.data.Dataset.range(1, tf.size(caption, tf.int64))
        return ends.map(lambda i: ((features, caption[:i]), caption[i]))

    return (
        tf.data.TFRecordDataset(records.shard_paths("train"))
        .take(photos)
        .map(parse, tf.data.AUTOTUNE)
        .flat_map(captions)
        .flat_map(prefixes)
        .padded_batch(ROWS_A_BATCH)
        .prefetch(tf.data.AUTOTUNE)
    )


def notebook_model(records: RecordSet, config: MergeConfig) -> keras.Model:
    """The merge model as the notebook writes it, with the layer sizes of `config`."""
    layers, size = keras.layers, len(records.vocabulary)
    photo = keras.Input(records.manifest.features.shape)
    image = layers.Dropout(config.image_dropout)(photo)
    image = layers.Dense(config.image_units, activation="relu")(image)
    prefix = keras.Input([records.manifest.longest_caption])
    text = layers.Embedding(
        size,
        config.embedding_units,
        mask_zero=True,
        trainable=config.embedding_trainable,
    )(prefix)
    text = layers.Dropout(config.text_dropout)(text)
    text = layers.LSTM(config.lstm_units)(text)
    hidden = layers.add([image, text])
    hidden = layers.Dense(config.image_units, activation="relu")(hidden)
    output = layers.Dense(size, activation="softmax")(hidden)
    model = keras.Model([photo, prefix], output)
    model.compile(loss="categorical_crossentropy", optimizer="adam")
    return model


def write_caption(
    model: keras.Model, photo: np.ndarray, wordtoidx: dict, max_length: int, words: int
) -> str:
    """Greedy search as in the notebook: `predict` once a word, over the whole prefix.

    Args:
        words: how many to write; the notebook's loop ends at the end marker.
    """
    idxtoword = {i: word for word, i in wordtoidx.items()}
    in_text = START
    for _ in range(words):
        sequence = [wordtoidx[w] for w in in_text.split() if w in wordtoidx]
        sequence = pad_sequences([sequence], maxlen=max_length)
        yhat = model.predict([photo[np.newaxis], sequence], verbose=0)
        in_text += " " + idxtoword[int(np.argmax(yhat))]
    return in_text.removeprefix(START).strip()
