// ncursesw's C API. Macros and globals become functions, since Swift cannot import them.
#pragma once
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <locale.h>
