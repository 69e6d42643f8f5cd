extern "C" __global__ void spike_forward(long long count, const Stored* u, Stored* spikes) {
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) store(spikes, i, FIRES(load(u, i)) ? 1.0f : 0.0f);
}

extern "C" __global__ void spike_backward(long long count, const Stored* u, const Stored* grad_spikes,
                                          Stored* grad_u) {
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) store(grad_u, i, load(grad_spikes, i) * surrogate_derivative(load(u, i)));
}
