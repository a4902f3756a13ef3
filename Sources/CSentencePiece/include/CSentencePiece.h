// SentencePiece's C++ API, as C functions. One call here is one call there; nothing is decided here.
//
// Messages: NULL where all went well, else a sentence of SentencePiece's, to be freed with `sentencepiece_free`.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A model that was loaded (`SentencePieceProcessor`). Reading it from several threads at once is safe.
typedef struct SentencePieceModel SentencePieceModel;

/// Frees what a function here has handed out, but for models.
void sentencepiece_free(void *_Nullable memory);

/// Loads a model file's bytes. Puts NULL into `model` where it returns a message.
char *_Nullable sentencepiece_load(
    const void *_Nonnull bytes, size_t count, SentencePieceModel *_Nullable *_Nonnull model);
void sentencepiece_close(SentencePieceModel *_Nonnull model);

/// Number of pieces, and what piece `id` is. An id outside of 0 ..< vocabulary ends the process.
int32_t sentencepiece_vocabulary(const SentencePieceModel *_Nonnull model);
bool sentencepiece_is_unknown(const SentencePieceModel *_Nonnull model, int32_t id);
bool sentencepiece_is_control(const SentencePieceModel *_Nonnull model, int32_t id);
bool sentencepiece_is_byte(const SentencePieceModel *_Nonnull model, int32_t id);
/// The UTF-8 text of piece `id`, owned by the model.
const char *_Nonnull sentencepiece_piece(const SentencePieceModel *_Nonnull model, int32_t id, size_t *_Nonnull count);

/// Makes ids of UTF-8 text. Puts an array to be freed into `ids`.
char *_Nullable sentencepiece_encode(
    const SentencePieceModel *_Nonnull model, const char *_Nonnull text, size_t count,
    int32_t *_Nullable *_Nonnull ids, size_t *_Nonnull idCount);

/// Trains a model on `sentenceCount` sentences; sentence i is `lengths[i]` bytes of UTF-8 at `text + starts[i]`.
/// Options are those of `spm_train`, keys without dashes; `minloglevel` must be 0. Puts a model file's bytes, to be freed, into
/// `model`. Calls `progress` with `context` and the pieces that are merged so far.
char *_Nullable sentencepiece_train(
    const char *_Nonnull const *_Nonnull keys, const char *_Nonnull const *_Nonnull values, size_t optionCount,
    const char *_Nonnull text, const size_t *_Nonnull starts, const size_t *_Nonnull lengths, size_t sentenceCount,
    void (*_Nonnull progress)(void *_Nonnull context, size_t pieces), void *_Nonnull context,
    void *_Nullable *_Nonnull model, size_t *_Nonnull modelCount);

#ifdef __cplusplus
}
#endif
