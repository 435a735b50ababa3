// Records to tensors in one pass: what TFRecordDataset, parse_example and decode_raw do
// in three copies of every feature and some thirty operations a batch.
//
//   TfcapIndexShards  where each record of some shards lies
//   TfcapReadPhotos   reads the ones asked for, and checks them
//
// The formats are those of records/framing.py and records/schema.py; tests hold this
// against TensorFlow's way, byte for byte.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#include "absl/crc/crc32c.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/platform/byte_order.h"
#include "tensorflow/core/platform/env.h"

namespace tfcap {
namespace {

using absl::string_view;
using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::RandomAccessFile;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::tstring;
using tensorflow::shape_inference::InferenceContext;

static_assert(tensorflow::port::kLittleEndian, "shards are little-endian");

// --- A shard's records: length, its checksum, record, its checksum -------------------

constexpr uint64_t kHeader = 12, kFooter = 4;

#if defined(__x86_64__)
// The CRC-32C of three parts of so many bytes, a multiple of 8. They take turns: the
// instruction takes three cycles, but another can begin in each.
__attribute__((target("sse4.2"))) absl::crc32c_t OfThreeParts(const char* data,
                                                              size_t size) {
  // In registers of their own: an array of them would stay in memory.
  uint64_t one = ~0u, two = ~0u, three = ~0u;
  const auto word = [](const char* bytes) {
    uint64_t value;
    std::memcpy(&value, bytes, 8);
    return value;
  };
  for (const char* end = data + size; data != end; data += 8) {
    one = _mm_crc32_u64(one, word(data));
    two = _mm_crc32_u64(two, word(data + size));
    three = _mm_crc32_u64(three, word(data + 2 * size));
  }
  const auto done = [](uint64_t crc) {
    return absl::crc32c_t(~static_cast<uint32_t>(crc));
  };
  const auto both = absl::ConcatCrc32c(done(one), done(two), size);
  return absl::ConcatCrc32c(both, done(three), size);
}
#endif

absl::crc32c_t Crc32c(string_view data) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction && data.size() > 512) {
    const size_t part = data.size() / 24 * 8;
    const auto most = OfThreeParts(data.data(), part);
    return absl::ExtendCrc32c(most, data.substr(3 * part));
  }
#endif
  return absl::ComputeCrc32c(data);
}

bool Fits(string_view data, const char* checksum) {
  const auto crc = static_cast<uint32_t>(Crc32c(data));
  const uint32_t masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
  return std::memcmp(&masked, checksum, kFooter) == 0;
}

absl::Status Damaged(string_view path, uint64_t place, string_view what) {
  const auto where = absl::StrCat(path, ": record at byte ", place);
  return absl::DataLossError(absl::StrCat(where, ": ", what));
}

// Asks the kernel to read a file ahead: batches will want it in random order.
void ReadAhead(const std::string& path) {
#if defined(POSIX_FADV_WILLNEED)
  const int file = open(path.c_str(), O_RDONLY);
  if (file < 0) return;
  posix_fadvise(file, 0, 0, POSIX_FADV_WILLNEED);
  close(file);
#endif
}

// --- One record: a tf.train.Example --------------------------------------------------

// A message in protocol buffers' wire format.
class Message {
 public:
  explicit Message(string_view bytes) : left_(bytes) {}

  // Goes to the next field; false at the end, and where the bytes are no message.
  bool Next() {
    uint64_t tag, number;
    if (left_.empty() || !ReadVarint(&tag)) return false;
    field_ = tag >> 3;
    is_bytes_ = (tag & 7) == 2;
    switch (tag & 7) {
      case 0: return ReadVarint(&number);
      case 1: return Take(8);
      case 2: return ReadVarint(&number) && Take(number);
      case 5: return Take(4);
      default: return Fail();
    }
  }

  bool ReadVarint(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64 && !left_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(left_.front());
      left_.remove_prefix(1);
      *value |= static_cast<uint64_t>(byte & 127) << shift;
      if (byte < 128) return true;
    }
    return Fail();
  }

  bool IsBytes(uint64_t field) const { return is_bytes_ && field_ == field; }
  string_view bytes() const { return bytes_; }
  bool ended() const { return left_.empty(); }
  bool failed() const { return failed_; }

 private:
  bool Take(uint64_t size) {
    if (size > left_.size()) return Fail();
    bytes_ = left_.substr(0, size);
    left_.remove_prefix(size);
    return true;
  }

  bool Fail() {
    left_ = {};
    failed_ = true;
    return false;
  }

  string_view left_, bytes_;
  uint64_t field_ = 0;
  bool is_bytes_ = false, failed_ = false;
};

// What is wanted of a record; a view into it, and numbers that are used again.
struct Photo {
  std::optional<string_view> features;
  std::vector<int64_t> ids, lengths;
  bool has_ids, has_lengths;
};

// Feature { bytes_list = 1 { value = 1 } }
std::optional<string_view> OnlyBytes(string_view feature) {
  Message kind(feature);
  if (!kind.Next() || !kind.IsBytes(1)) return std::nullopt;
  Message list(kind.bytes());
  if (!list.Next() || !list.IsBytes(1)) return std::nullopt;
  return list.bytes();
}

// Feature { int64_list = 3 { value = 1, packed } }
bool ReadNumbers(string_view feature, std::vector<int64_t>* numbers) {
  numbers->clear();
  Message kind(feature);
  while (kind.Next()) {
    if (!kind.IsBytes(3)) return false;
    Message list(kind.bytes());
    while (list.Next()) {
      if (!list.IsBytes(1)) return false;
      Message packed(list.bytes());
      uint64_t number;
      while (!packed.ended() && packed.ReadVarint(&number)) numbers->push_back(number);
      if (packed.failed()) return false;
    }
    if (list.failed()) return false;
  }
  return !kind.failed();
}

// Entry of a map { key = 1, value = 2 }
bool ReadFeature(string_view bytes, Photo* photo) {
  string_view key, value;
  Message entry(bytes);
  while (entry.Next()) {
    if (entry.IsBytes(1)) key = entry.bytes();
    if (entry.IsBytes(2)) value = entry.bytes();
  }
  if (key == "image/features") photo->features = OnlyBytes(value);
  if (key == "caption/ids") photo->has_ids = ReadNumbers(value, &photo->ids);
  if (key == "caption/lengths") {
    photo->has_lengths = ReadNumbers(value, &photo->lengths);
  }
  return !entry.failed();
}

// Whether the lengths of the captions, none negative, add up to the number of ids.
bool AddUp(const Photo& photo) {
  int64_t left = photo.ids.size();
  for (const int64_t length : photo.lengths) {
    if (length < 0 || length > left) return false;
    left -= length;
  }
  return left == 0;
}

// Example { features = 1 { feature = 1, a map } }
bool ReadExample(string_view record, Photo* photo) {
  photo->features.reset();
  photo->has_ids = photo->has_lengths = false;
  Message example(record);
  while (example.Next()) {
    if (!example.IsBytes(1)) continue;
    Message features(example.bytes());
    while (features.Next()) {
      if (features.IsBytes(1) && !ReadFeature(features.bytes(), photo)) return false;
    }
    if (features.failed()) return false;
  }
  return !example.failed() && photo->features && photo->has_ids &&
         photo->has_lengths && AddUp(*photo);
}

// --- The operations ------------------------------------------------------------------

absl::Status Check(int64_t shard, int64_t shards) {
  if (shard >= 0 && shard < shards) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("shard ", shard, " of ", shards));
}

class IndexShards : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const auto paths = context->input(0).vec<tstring>();
    const auto shards = context->input(1).vec<int64_t>();
    std::vector<int64_t> places;
    for (int64_t i = 0; i < shards.size(); ++i) {
      OP_REQUIRES_OK(context, Check(shards(i), paths.size()));
      ReadAhead(paths(shards(i)));
    }
    for (int64_t i = 0; i < shards.size(); ++i) {
      const auto env = context->env();
      OP_REQUIRES_OK(context, Index(env, paths(shards(i)), shards(i), &places));
    }
    Tensor* output;
    const int64_t count = places.size() / 3;
    OP_REQUIRES_OK(context, context->allocate_output(0, {count, 3}, &output));
    std::copy(places.begin(), places.end(), output->flat<int64_t>().data());
  }

 private:
  static absl::Status Index(tensorflow::Env* env, const std::string& path,
                            int64_t shard, std::vector<int64_t>* places) {
    std::unique_ptr<RandomAccessFile> file;
    TF_RETURN_IF_ERROR(env->NewRandomAccessFile(path, &file));
    uint64_t end, length;
    TF_RETURN_IF_ERROR(env->GetFileSize(path, &end));
    for (uint64_t place = 0; place < end; place += kHeader + length + kFooter) {
      char scratch[kHeader];
      string_view header;
      if (!file->Read(place, header, absl::MakeSpan(scratch)).ok()) {
        return Damaged(path, place, "truncated");
      }
      if (!Fits(header.substr(0, sizeof(length)), header.data() + sizeof(length))) {
        return Damaged(path, place, "its length does not fit its checksum");
      }
      std::memcpy(&length, header.data(), sizeof(length));
      if (length > end - place || kHeader + length + kFooter > end - place) {
        return Damaged(path, place, "truncated");
      }
      places->push_back(shard);
      places->push_back(place);
      places->push_back(length);
    }
    return absl::OkStatus();
  }
};

class ReadPhotos : public OpKernel {
 public:
  explicit ReadPhotos(OpKernelConstruction* context) : OpKernel(context) {
    tensorflow::DataType dtype;
    OP_REQUIRES_OK(context, context->GetAttr("shape", &shape_));
    OP_REQUIRES_OK(context, context->GetAttr("dtype", &dtype));
    size_ = shape_.num_elements() * tensorflow::DataTypeSize(dtype);
  }

  void Compute(OpKernelContext* context) override {
    const auto paths = context->input(0).vec<tstring>();
    const auto places = context->input(1).matrix<int64_t>();
    const int64_t photos = places.dimension(0);
    TensorShape shape({photos});
    shape.AppendShape(shape_);
    Tensor* features;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &features));
    char* to = static_cast<char*>(features->data());
    std::string bytes;
    Photo photo;
    Captions captions;
    for (int64_t i = 0; i < photos; ++i, to += size_) {
      const int64_t shard = places(i, 0);
      OP_REQUIRES_OK(context, Check(shard, paths.size()));
      const std::string path = paths(shard);
      const uint64_t place = places(i, 1), length = places(i, 2);
      std::shared_ptr<RandomAccessFile> file;
      OP_REQUIRES_OK(context, Open(context->env(), path, &file));
      OP_REQUIRES_OK(context, Read(*file, path, place, length, &bytes));
      OP_REQUIRES(context, ReadExample(bytes, &photo),
                  Damaged(path, place, "not a photo record"));
      OP_REQUIRES(context, photo.features->size() == size_,
                  Damaged(path, place, "features of another size"));
      std::memcpy(to, photo.features->data(), size_);
      captions.Add(i, photo);
    }
    OP_REQUIRES_OK(context, captions.Write(context));
  }

 private:
  // Of a batch.
  struct Captions {
    std::vector<int32_t> photo, ids;
    std::vector<int64_t> lengths;

    void Add(int32_t number, const Photo& of) {
      photo.insert(photo.end(), of.lengths.size(), number);
      lengths.insert(lengths.end(), of.lengths.begin(), of.lengths.end());
      ids.insert(ids.end(), of.ids.begin(), of.ids.end());
    }

    absl::Status Write(OpKernelContext* context) const {
      const int64_t count = photo.size();
      int64_t longest = 2;
      for (const int64_t length : lengths) longest = std::max(longest, length);
      Tensor *photos, *tokens;
      TF_RETURN_IF_ERROR(context->allocate_output(1, {count}, &photos));
      TF_RETURN_IF_ERROR(context->allocate_output(2, {count, longest}, &tokens));
      std::copy(photo.begin(), photo.end(), photos->flat<int32_t>().data());
      int32_t* row = tokens->flat<int32_t>().data();
      const int32_t* id = ids.data();
      for (const int64_t length : lengths) {
        std::fill(std::copy(id, id + length, row), row + longest, 0);
        row += longest;
        id += length;
      }
      return absl::OkStatus();
    }
  };

  static absl::Status Read(const RandomAccessFile& file, string_view path,
                           uint64_t place, uint64_t length, std::string* bytes) {
    bytes->resize(length + kFooter);
    string_view read;
    if (!file.Read(place + kHeader, read, absl::MakeSpan(*bytes)).ok()) {
      return Damaged(path, place, "truncated");
    }
    if (read.data() != bytes->data()) bytes->assign(read.data(), read.size());
    if (!Fits({bytes->data(), length}, bytes->data() + length)) {
      return Damaged(path, place, "it does not fit its checksum");
    }
    bytes->resize(length);
    return absl::OkStatus();
  }

  // Files stay open from batch to batch, some of them.
  absl::Status Open(tensorflow::Env* env, const std::string& path,
                    std::shared_ptr<RandomAccessFile>* file) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = files_.find(path);
    if (found != files_.end()) {
      *file = found->second;
      return absl::OkStatus();
    }
    std::unique_ptr<RandomAccessFile> opened;
    TF_RETURN_IF_ERROR(env->NewRandomAccessFile(path, &opened));
    if (files_.size() == kOpenFiles) files_.clear();
    *file = files_[path] = std::move(opened);
    return absl::OkStatus();
  }

  static constexpr size_t kOpenFiles = 64;
  TensorShape shape_;
  uint64_t size_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<RandomAccessFile>> files_;
};

// Both are stateful, as TensorFlow's own that read files: neither is done beforehand.

REGISTER_OP("TfcapIndexShards")
    .Input("paths: string")
    .Input("shards: int64")
    .Output("places: int64")
    .SetIsStateful()
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->Matrix(InferenceContext::kUnknownDim, 3));
      return absl::OkStatus();
    });

REGISTER_OP("TfcapReadPhotos")
    .Input("paths: string")
    .Input("places: int64")
    .Attr("shape: shape")
    .Attr("dtype: {float32, float16}")
    .Output("features: dtype")
    .Output("photo: int32")
    .Output("tokens: int32")
    .SetIsStateful()
    .SetShapeFn([](InferenceContext* c) {
      tensorflow::PartialTensorShape shape;
      TF_RETURN_IF_ERROR(c->GetAttr("shape", &shape));
      tensorflow::shape_inference::ShapeHandle one, all;
      TF_RETURN_IF_ERROR(c->MakeShapeFromPartialTensorShape(shape, &one));
      const auto photos = c->Vector(c->Dim(c->input(1), 0));
      TF_RETURN_IF_ERROR(c->Concatenate(photos, one, &all));
      c->set_output(0, all);
      c->set_output(1, c->Vector(c->UnknownDim()));
      c->set_output(2, c->Matrix(c->UnknownDim(), c->UnknownDim()));
      return absl::OkStatus();
    });

REGISTER_KERNEL_BUILDER(Name("TfcapIndexShards").Device(tensorflow::DEVICE_CPU),
                        IndexShards);
REGISTER_KERNEL_BUILDER(Name("TfcapReadPhotos").Device(tensorflow::DEVICE_CPU),
                        ReadPhotos);

}  // namespace
}  // namespace tfcap
