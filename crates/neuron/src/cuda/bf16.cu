typedef unsigned short Stored;
__device__ __forceinline__ float load(const unsigned short* from, long long i) {
    return __uint_as_float((unsigned int)from[i] << 16);
}
// To the nearest, ties to even; a NaN stays one.
__device__ __forceinline__ void store(unsigned short* to, long long i, float value) {
    const unsigned int bits = __float_as_uint(value);
    const unsigned int rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    to[i] = value == value ? (unsigned short)rounded : (unsigned short)0x7fc0u;
}
