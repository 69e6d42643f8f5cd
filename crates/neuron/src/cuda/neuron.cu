extern "C" __global__ void neuron_forward(long long neurons, int time_steps, const Stored* input,
                                          const float* initial_membrane, const float* initial_second,
                                          const float* parameter, const float* v_threshold, Stored* spikes,
                                          float* final_membrane, float* final_second, float* membranes) {
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= neurons) return;
    float membrane = initial_membrane ? initial_membrane[i] : V_REST;
    float second = initial_second ? initial_second[i] : 0.0f;
    const float learned = parameter ? *parameter : PARAMETER;
    const float threshold = v_threshold ? *v_threshold : V_THRESHOLD;
#pragma unroll 4
    for (int t = 0; t < time_steps; ++t) {
        const long long at = (long long)t * neurons + i;
        const float spike = step(load(input, at), membrane, second, learned, threshold);
        store(spikes, at, spike);
        if (membranes) membranes[at] = membrane;
    }
    if (final_membrane) final_membrane[i] = membrane;
    if (final_second) final_second[i] = second;
}

extern "C" __global__ void neuron_backward(long long neurons, int time_steps, const Stored* input,
                                           const float* initial_membrane, const float* initial_second,
                                           const float* parameter, const float* v_threshold,
                                           const Stored* grad_spikes, float uniform_grad,
                                           const float* grad_final_membrane, const float* grad_final_second,
                                           Stored* grad_input, float* grad_initial_membrane,
                                           float* grad_initial_second, float* grad_parameter,
                                           float* grad_v_threshold, float* checkpoints) {
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= neurons) return;
    const float learned = parameter ? *parameter : PARAMETER;
    const float threshold = v_threshold ? *v_threshold : V_THRESHOLD;
    const float first_membrane = initial_membrane ? initial_membrane[i] : V_REST;
    const float first_second = initial_second ? initial_second[i] : 0.0f;
    const int chunks = (time_steps + CHUNK - 1) / CHUNK;

    // The states from which the second chunk and all later ones start.
    if (chunks > 1) {
        float membrane = first_membrane, second = first_second;
        for (int t = 0; t < (chunks - 1) * CHUNK; ++t) {
            step(load(input, (long long)t * neurons + i), membrane, second, learned, threshold);
            if ((t + 1) % CHUNK == 0) {
                const long long at = (long long)((t + 1) / CHUNK - 1) * 2 * neurons + i;
                checkpoints[at] = membrane;
                checkpoints[at + neurons] = second;
            }
        }
    }

    float grad_membrane = grad_final_membrane ? grad_final_membrane[i] : 0.0f;
    float grad_second = grad_final_second ? grad_final_second[i] : 0.0f;
    float sum_parameter = 0.0f, sum_threshold = 0.0f;
    for (int chunk = chunks - 1; chunk >= 0; --chunk) {
        const int start = chunk * CHUNK;
        const long long saved = (long long)(chunk - 1) * 2 * neurons + i;
        float membrane = chunk > 0 ? checkpoints[saved] : first_membrane;
        float second = chunk > 0 ? checkpoints[saved + neurons] : first_second;
        // Indexed by constants alone once the loops are unrolled: these are registers.
        float inputs[CHUNK], membranes[CHUNK], seconds[CHUNK];
#pragma unroll
        for (int k = 0; k < CHUNK; ++k) {
            if (start + k < time_steps) {
                inputs[k] = load(input, (long long)(start + k) * neurons + i);
                membranes[k] = membrane;
                seconds[k] = second;
                step(inputs[k], membrane, second, learned, threshold);
            }
        }
#pragma unroll
        for (int k = CHUNK - 1; k >= 0; --k) {
            if (start + k < time_steps) {
                const long long at = (long long)(start + k) * neurons + i;
                const float grad_spike = grad_spikes ? load(grad_spikes, at) : uniform_grad;
                store(grad_input, at,
                      step_backward(inputs[k], membranes[k], seconds[k], learned, threshold, grad_spike,
                                    grad_membrane, grad_second, sum_parameter, sum_threshold));
            }
        }
    }
    if (grad_initial_membrane) grad_initial_membrane[i] = grad_membrane;
    if (grad_initial_second) grad_initial_second[i] = grad_second;
    if (grad_parameter) grad_parameter[i] = sum_parameter;
    if (grad_v_threshold) grad_v_threshold[i] = sum_threshold;
}
