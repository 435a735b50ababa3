"""Writes requests that TensorFlow Serving runs before it reports a model as ready.

`assets.extra/tf_serving_warmup_requests` is a TFRecord file of `PredictionLog` messages
(tensorflow_serving/apis/prediction_log.proto), of which a request needs five fields.
"""

import os

import tensorflow as tf

from records.format.protobuf_wire import field

FILE_NAME = os.path.join("assets.extra", "tf_serving_warmup_requests")
MODEL = "caption"
SIGNATURES = ("serving_default", "beams", "explain")
BATCHES = (1, 8)
# Numbers of the fields.
PREDICT_LOG, REQUEST, MODEL_SPEC, INPUTS = 6, 1, 1, 2
NAME, SIGNATURE_NAME = 1, 3
KEY, VALUE = 1, 2


def write(path: str) -> None:
    """Writes the file into the SavedModel at `path`."""
    file = os.path.join(path, FILE_NAME)
    tf.io.gfile.makedirs(os.path.dirname(file))
    with tf.io.TFRecordWriter(file) as writer:
        for signature in SIGNATURES:
            for batch in BATCHES:
                writer.write(request(signature, batch))


def request(signature: str, batch: int) -> bytes:
    """Returns a PredictionLog of a request for `batch` black photos."""
    photo = tf.io.encode_jpeg(tf.zeros([32, 32, 3], tf.uint8)).numpy()
    photos = tf.make_tensor_proto([photo] * batch)
    spec = field(NAME, MODEL.encode()) + field(SIGNATURE_NAME, signature.encode())
    entry = field(KEY, b"image_bytes") + field(VALUE, photos.SerializeToString())
    request = field(MODEL_SPEC, spec) + field(INPUTS, entry)
    return field(PREDICT_LOG, field(REQUEST, request))
