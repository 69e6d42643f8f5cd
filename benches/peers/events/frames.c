/* The plain C loop that decoding and framing are compared with: one file of five-byte ATIS events straight into
 * ten frames of uint16, and frames from columns in memory. Bins are tonic's: the remainder of the division is lost. */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t time_of(const uint8_t *b) { return ((int64_t)(b[2] & 0x7f) << 16) | (b[3] << 8) | b[4]; }

/* Number of bytes read, or -1. */
long read_file(const char *path, uint8_t *to, long most) {
  int file = open(path, O_RDONLY);
  if (file < 0) return -1;
  long have = 0;
  for (;;) {
    ssize_t got = read(file, to + have, most - have);
    if (got <= 0) break;
    have += got;
  }
  close(file);
  return have;
}

/* Number of events, or -1. */
long atis_frames(const char *path, uint8_t *room, long most, int width, int height, int bins, uint16_t *out) {
  long n = read_file(path, room, most) / 5;
  if (n < 1) return -1;
  memset(out, 0, sizeof(uint16_t) * bins * 2 * height * width);
  const uint8_t *b = room;
  int64_t first = time_of(b), bin = (time_of(b + 5 * (n - 1)) - first) / bins;
  if (bin < 1) bin = 1;
  for (long i = 0; i < n; ++i, b += 5) {
    int64_t k = (time_of(b) - first) / bin;
    if (k >= bins || k < 0 || b[0] >= width || b[1] >= height) continue;
    out[((k * 2 + (b[2] >> 7)) * height + b[1]) * width + b[0]]++;
  }
  return n;
}

long column_frames(const uint16_t *x, const uint16_t *y, const uint8_t *p, const int64_t *t, long n, int width,
                   int height, int bins, uint16_t *out) {
  memset(out, 0, sizeof(uint16_t) * bins * 2 * height * width);
  int64_t bin = (t[n - 1] - t[0]) / bins;
  if (bin < 1) bin = 1;
  long i = 0;
  for (int k = 0; k < bins; ++k) {
    int64_t end = t[0] + (k + 1) * bin;
    uint16_t *frame = out + (long)k * 2 * height * width;
    for (; i < n && t[i] < end; ++i) frame[(p[i] * height + y[i]) * width + x[i]]++;
  }
  return n;
}
