extern "C" __global__ void neuron_forward(long long neurons, int time_steps, const Stored* input,
                                          const float* initial_membrane, const float* initial_auxiliary,
                                          const float* parameters, const float* v_threshold, Stored* spikes,
                                          float* final_membrane, float* final_auxiliary, float* membranes) {
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= neurons) return;
    float membrane = initial_membrane ? initial_membrane[i] : V_REST;
    float auxiliary = initial_auxiliary ? initial_auxiliary[i] : 0.0f;
    float learned[PARAMETERS + 1];
    read_parameters(parameters, learned);
    const float threshold = v_threshold ? *v_threshold : V_THRESHOLD;
#pragma unroll 4
    for (int t = 0; t < time_steps; ++t) {
        const long long at = (long long)t * neurons + i;
        const float spike = step(load(input, at), membrane, auxiliary, learned, threshold);
        store(spikes, at, spike);
        if (membranes) membranes[at] = membrane;
    }
    if (final_membrane) final_membrane[i] = membrane;
    if (final_auxiliary) final_auxiliary[i] = auxiliary;
}

extern "C" __global__ void neuron_backward(long long neurons, int time_steps, const Stored* input,
                                           const float* initial_membrane, const float* initial_auxiliary,
                                           const float* parameters, const float* v_threshold,
                                           const Stored* grad_spikes, float uniform_grad,
                                           const float* grad_final_membrane, const float* grad_final_auxiliary,
                                           Stored* grad_input, float* grad_initial_membrane,
                                           float* grad_initial_auxiliary, float* grad_parameters,
                                           float* grad_v_threshold, float* checkpoints) {
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= neurons) return;
    float learned[PARAMETERS + 1];
    read_parameters(parameters, learned);
    const float threshold = v_threshold ? *v_threshold : V_THRESHOLD;
    const float first_membrane = initial_membrane ? initial_membrane[i] : V_REST;
    const float first_auxiliary = initial_auxiliary ? initial_auxiliary[i] : 0.0f;
    const int chunks = (time_steps + CHUNK - 1) / CHUNK;

    // The states from which the second chunk and all later ones start.
    if (chunks > 1) {
        float membrane = first_membrane, auxiliary = first_auxiliary;
        for (int t = 0; t < (chunks - 1) * CHUNK; ++t) {
            step(load(input, (long long)t * neurons + i), membrane, auxiliary, learned, threshold);
            if ((t + 1) % CHUNK == 0) {
                const long long at = (long long)((t + 1) / CHUNK - 1) * 2 * neurons + i;
                checkpoints[at] = membrane;
                checkpoints[at + neurons] = auxiliary;
            }
        }
    }

    float grad_membrane = grad_final_membrane ? grad_final_membrane[i] : 0.0f;
    float grad_auxiliary = grad_final_auxiliary ? grad_final_auxiliary[i] : 0.0f;
    float sum_parameters[PARAMETERS + 1] = {}, sum_threshold = 0.0f;
    for (int chunk = chunks - 1; chunk >= 0; --chunk) {
        const int start = chunk * CHUNK;
        const long long saved = (long long)(chunk - 1) * 2 * neurons + i;
        float membrane = chunk > 0 ? checkpoints[saved] : first_membrane;
        float auxiliary = chunk > 0 ? checkpoints[saved + neurons] : first_auxiliary;
        // Indexed by constants alone once the loops are unrolled: these are registers.
        float inputs[CHUNK], membranes[CHUNK], auxiliaries[CHUNK];
#pragma unroll
        for (int k = 0; k < CHUNK; ++k) {
            if (start + k < time_steps) {
                inputs[k] = load(input, (long long)(start + k) * neurons + i);
                membranes[k] = membrane;
                auxiliaries[k] = auxiliary;
                step(inputs[k], membrane, auxiliary, learned, threshold);
            }
        }
#pragma unroll
        for (int k = CHUNK - 1; k >= 0; --k) {
            if (start + k < time_steps) {
                const long long at = (long long)(start + k) * neurons + i;
                const float grad_spike = grad_spikes ? load(grad_spikes, at) : uniform_grad;
                store(grad_input, at,
                      step_backward(inputs[k], membranes[k], auxiliaries[k], learned, threshold, grad_spike,
                                    grad_membrane, grad_auxiliary, sum_parameters, sum_threshold));
            }
        }
    }
    if (grad_initial_membrane) grad_initial_membrane[i] = grad_membrane;
    if (grad_initial_auxiliary) grad_initial_auxiliary[i] = grad_auxiliary;
#pragma unroll
    for (int p = 0; p < PARAMETERS; ++p) {
        if (grad_parameters) grad_parameters[(long long)p * neurons + i] = sum_parameters[p];
    }
    if (grad_v_threshold) grad_v_threshold[i] = sum_threshold;
}
