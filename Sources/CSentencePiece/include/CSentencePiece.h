// SentencePiece's C++ API, as C functions.
#pragma once
