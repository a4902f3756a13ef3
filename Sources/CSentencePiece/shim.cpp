// SentencePiece's C++ API, as C functions.
#include "CSentencePiece.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <mutex>
#include <optional>
#include <streambuf>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

using sentencepiece::SentenceIterator;
using sentencepiece::SentencePieceProcessor;
using sentencepiece::SentencePieceTrainer;
using sentencepiece::util::Status;

// The library exports it and has no header for it.
namespace sentencepiece::logging {
void SetMinLogLevel(int level);
}

struct SentencePieceModel {
  SentencePieceProcessor processor;
};

namespace {

/// A copy for the caller to free.
void *copied(const void *bytes, size_t count) {
  void *copy = std::malloc(count > 0 ? count : 1);
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy, bytes, count);
  return copy;
}

char *message(const Status &status) { return status.ok() ? nullptr : ::strdup(status.ToString().c_str()); }

/// No exception may pass through C: it becomes a message.
template <typename Body>
char *guarded(Body body) {
  try {
    return body();
  } catch (const std::exception &error) {
    return ::strdup(error.what());
  } catch (...) {
    return ::strdup("unknown exception");
  }
}

class Sentences : public SentenceIterator {
 public:
  Sentences(const char *text, const size_t *starts, const size_t *lengths, size_t count)
      : text_(text), starts_(starts), lengths_(lengths), count_(count) {
    read();
  }
  bool done() const override { return index_ >= count_; }
  void Next() override {
    index_ += 1;
    read();
  }
  const std::string &value() const override { return value_; }
  Status status() const override { return Status(); }

 private:
  void read() {
    if (index_ < count_) value_.assign(text_ + starts_[index_], lengths_[index_]);
  }

  const char *text_;
  const size_t *starts_;
  const size_t *lengths_;
  size_t count_;
  size_t index_ = 0;
  std::string value_;
};

/// Takes what the library says on std::cerr while it trains: it has no other way to say how far it is. Nothing is printed. Its
/// trainer of byte pairs says now and then “Added: freq=… size=N …”, N being the pieces so far. There is one for the whole program,
/// which never goes: another thread may just be writing to it.
class Overheard : public std::streambuf {
 public:
  void listen(void (*progress)(void *, size_t), void *context) {
    std::lock_guard<std::mutex> lock(mutex_);
    progress_ = progress;
    context_ = context;
    thread_ = std::this_thread::get_id();
    line_.clear();
  }

 protected:
  int overflow(int character) override {
    std::lock_guard<std::mutex> lock(mutex_);
    // Other threads may load tokenizers meanwhile, and the level of messages is the library's.
    if (std::this_thread::get_id() != thread_) return traits_type::not_eof(character);
    if (character == '\n') {
      finish();
    } else if (character != traits_type::eof() && line_.size() < 256) {
      line_.push_back(static_cast<char>(character));
    }
    return traits_type::not_eof(character);
  }

 private:
  void finish() {
    const size_t added = line_.find("Added: ");
    const size_t place = added == std::string::npos ? added : line_.find(" size=", added);
    if (progress_ != nullptr && place != std::string::npos) {
      progress_(context_, std::strtoull(line_.c_str() + place + 6, nullptr, 10));
    }
    line_.clear();
  }

  std::mutex mutex_;
  void (*progress_)(void *, size_t) = nullptr;
  void *context_ = nullptr;
  /// The thread that trains, which alone is listened to.
  std::thread::id thread_;
  std::string line_;
};

/// True if the trainer certainly finds pairs of characters. Without any pair, its message about the most frequent one reads the first
/// element of an empty list. A hundred plain lines with two neighbouring letters are proof enough: the trainer may skip some lines.
bool hasPairs(const char *text, const size_t *starts, const size_t *lengths, size_t count) {
  size_t plain = 0;
  for (size_t line = 0; line < count && plain < 100; ++line) {
    const char *first = text + starts[line], *end = first + lengths[line];
    const auto isPlain = [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); };
    const auto isLetter = [](char c) { return c >= 'a' && c <= 'z'; };
    if (lengths[line] > 1024 || !std::all_of(first, end, isPlain)) continue;
    plain += std::adjacent_find(first, end, [&](char a, char b) { return isLetter(a) && isLetter(b); }) != end;
  }
  return plain == 100;
}

/// Listens while it lives; one training at a time, since the stream is the program's.
class Listening {
 public:
  Listening(void (*progress)(void *, size_t), void *context) : lock_(training()) {
    buffer().listen(progress, context);
    before_ = std::cerr.rdbuf(&buffer());
  }
  ~Listening() {
    sentencepiece::logging::SetMinLogLevel(3);
    std::cerr.rdbuf(before_);
    buffer().listen(nullptr, nullptr);
  }

 private:
  static std::mutex &training() {
    static std::mutex mutex;
    return mutex;
  }
  static Overheard &buffer() {
    static Overheard *buffer = new Overheard;
    return *buffer;
  }

  std::lock_guard<std::mutex> lock_;
  std::streambuf *before_ = nullptr;
};

}  // namespace

void sentencepiece_free(void *memory) { std::free(memory); }

char *sentencepiece_load(const void *bytes, size_t count, SentencePieceModel **model) {
  *model = nullptr;
  return guarded([&]() -> char * {
    auto loaded = std::make_unique<SentencePieceModel>();
    const Status status =
        loaded->processor.LoadFromSerializedProto(std::string_view(static_cast<const char *>(bytes), count));
    if (status.ok()) *model = loaded.release();
    return message(status);
  });
}

void sentencepiece_close(SentencePieceModel *model) { delete model; }

int32_t sentencepiece_vocabulary(const SentencePieceModel *model) { return model->processor.GetPieceSize(); }
bool sentencepiece_is_unknown(const SentencePieceModel *model, int32_t id) { return model->processor.IsUnknown(id); }
bool sentencepiece_is_control(const SentencePieceModel *model, int32_t id) { return model->processor.IsControl(id); }
bool sentencepiece_is_byte(const SentencePieceModel *model, int32_t id) { return model->processor.IsByte(id); }

const char *sentencepiece_piece(const SentencePieceModel *model, int32_t id, size_t *count) {
  const std::string &piece = model->processor.IdToPiece(id);
  *count = piece.size();
  return piece.data();
}

char *sentencepiece_encode(
    const SentencePieceModel *model, const char *text, size_t count, int32_t **ids, size_t *idCount) {
  *ids = nullptr;
  *idCount = 0;
  return guarded([&]() -> char * {
    std::vector<int> encoded;
    const Status status = model->processor.Encode(std::string_view(text, count), &encoded);
    if (!status.ok()) return message(status);
    *ids = static_cast<int32_t *>(copied(encoded.data(), encoded.size() * sizeof(int32_t)));
    *idCount = encoded.size();
    return nullptr;
  });
}

char *sentencepiece_train(
    const char *const *keys, const char *const *values, size_t optionCount, const char *text, const size_t *starts,
    const size_t *lengths, size_t sentenceCount, void (*progress)(void *, size_t), void *context, void **model,
    size_t *modelCount) {
  *model = nullptr;
  *modelCount = 0;
  return guarded([&]() -> char * {
    std::unordered_map<std::string, std::string> options;
    for (size_t i = 0; i < optionCount; ++i) options[keys[i]] = values[i];
    Sentences sentences(text, starts, lengths, sentenceCount);
    std::string serialized;
    std::optional<Listening> listening;
    const bool listens = hasPairs(text, starts, lengths, sentenceCount);
    options["minloglevel"] = listens ? "0" : "3";
    if (listens) listening.emplace(progress, context);
    const Status status = SentencePieceTrainer::Train(options, &sentences, &serialized);
    if (!status.ok()) return message(status);
    *model = copied(serialized.data(), serialized.size());
    *modelCount = serialized.size();
    return nullptr;
  });
}
