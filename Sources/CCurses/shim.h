// ncursesw's C API. Macros and globals become functions, since Swift cannot import them.
#pragma once
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <fcntl.h>
#include <term.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

/// Starts curses on a terminal that is written to by `output` and read by standard input; NULL where it cannot.
static inline SCREEN *foretop_start(int output) {
  FILE *file = fdopen(output, "w");
  return file ? newterm(NULL, file, stdin) : NULL;
}

/// Names the calling thread, as /proc and top show it.
static inline void foretop_name_thread(const char *name) { prctl(PR_SET_NAME, name); }

static inline WINDOW *foretop_stdscr(void) { return stdscr; }
static inline WINDOW *foretop_curscr(void) { return curscr; }
static inline int foretop_lines(void) { return LINES; }
static inline int foretop_columns(void) { return COLS; }
static inline int foretop_colours(void) { return COLORS; }

static inline attr_t foretop_bold(void) { return A_BOLD; }
static inline attr_t foretop_dim(void) { return A_DIM; }
static inline attr_t foretop_underline(void) { return A_UNDERLINE; }
static inline attr_t foretop_reverse(void) { return A_REVERSE; }

/// Makes a cell of a character and what combines with it (ended by 0), attributes, and a colour pair of any number.
static inline int foretop_cell(cchar_t *cell, const wchar_t *text, attr_t attributes, int pair) {
  return setcchar(cell, text, attributes, 0, &pair);
}

/// A terminal's string, NULL where it has none.
static inline const char *foretop_string(const char *name) {
  const char *string = tigetstr(name);
  return string == (const char *)-1 ? NULL : string;
}

/// The character set of the locale, `UTF-8` for one.
static inline const char *foretop_codeset(void) { return nl_langinfo(CODESET); }

/// Reads terminfo for `name` without the terminal; 1 where it is known.
static inline int foretop_knows(const char *name, int descriptor) {
  int error = 0;
  return setupterm(name, descriptor, &error) == OK ? 1 : 0;
}

/// Gives back what `foretop_knows` read.
static inline void foretop_forget(void) {
  if (cur_term) del_curterm(cur_term);
}

// Of Linux, and hidden without _GNU_SOURCE, with which Swift refuses a debug build: fd_set would have two definitions.
#ifndef F_SETPIPE_SZ
#define F_SETPIPE_SZ 1031
#endif

/// Lets a pipe hold so many bytes, where the system grants it.
static inline void foretop_widen(int pipe, int bytes) { (void)fcntl(pipe, F_SETPIPE_SZ, bytes); }
