typedef float Stored;
__device__ __forceinline__ float load(const float* from, long long i) { return from[i]; }
__device__ __forceinline__ void store(float* to, long long i, float value) { to[i] = value; }
