// As `SpikeArguments` in cuda.rs.
struct SpikeArguments {
    long long count;
    const Stored* u;
    const Stored* grad_spikes;
    Stored* result;
};

extern "C" __global__ void spike_forward(const SpikeArguments a) {
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < a.count) store(a.result, i, FIRES(load(a.u, i)) ? 1.0f : 0.0f);
}

extern "C" __global__ void spike_backward(const SpikeArguments a) {
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < a.count) store(a.result, i, load(a.grad_spikes, i) * surrogate_derivative(load(a.u, i)));
}
