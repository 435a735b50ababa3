"""Warm-up requests for TensorFlow Serving."""

import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorflow.core.framework.tensor_pb2 import TensorProto

from tfcap.export import (
    warmup,
)


def test_a_warm_up_request_is_a_prediction_log():
    """Read by protobuf itself, from the fields of the published .proto files."""
    log = prediction_log_class()()
    log.ParseFromString(warmup.request("beams", 40))
    request = log.predict_log.request
    assert (request.model_spec.name, request.model_spec.signature_name) == (
        "caption",
        "beams",
    )
    tensor = TensorProto.FromString(request.inputs["image_bytes"])
    photos = tf.make_ndarray(tensor).tolist()
    assert len(photos) == 40 and not tf.io.decode_jpeg(photos[39]).numpy().any()


def prediction_log_class():
    """PredictionLog, with the tensors left as bytes."""
    file = descriptor_pb2.FileDescriptorProto(name="log.proto", syntax="proto3")
    string, bytes_, message = 9, 12, 11
    fields = {
        "ModelSpec": [("name", 1, string, ""), ("signature_name", 3, string, "")],
        "PredictRequest": [
            ("model_spec", 1, message, ".ModelSpec"),
            ("inputs", 2, message, ".PredictRequest.InputsEntry"),
        ],
        "PredictLog": [("request", 1, message, ".PredictRequest")],
        "PredictionLog": [("predict_log", 6, message, ".PredictLog")],
    }
    for name, rows in fields.items():
        kind = file.message_type.add(name=name)
        for field, number, type_, of in rows:
            of_type = {"type_name": of} if of else {}
            kind.field.add(name=field, number=number, type=type_, label=1, **of_type)
    request = file.message_type[1]
    request.field[1].label = 3
    entry = request.nested_type.add(name="InputsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=string, label=1)
    entry.field.add(name="value", number=2, type=bytes_, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindMessageTypeByName("PredictionLog")
    return message_factory.GetMessageClass(found)
