// As `ForwardArguments` and `BackwardArguments` in cuda.rs; any pointer but input, spikes and grad_input may be null.
struct ForwardArguments {
    long long neurons;
    int time_steps;
    const Stored* input;
    const float* initial_membrane;
    const float* initial_auxiliary;
    const float* parameters;
    const float* v_threshold;
    Stored* spikes;
    float* final_membrane;
    float* final_auxiliary;
    float* membranes;
};

struct BackwardArguments {
    long long neurons;
    int time_steps;
    float uniform_grad;
    const Stored* input;
    const float* initial_membrane;
    const float* initial_auxiliary;
    const float* parameters;
    const float* v_threshold;
    const Stored* grad_spikes;
    const float* grad_final_membrane;
    const float* grad_final_auxiliary;
    Stored* grad_input;
    float* grad_initial_membrane;
    float* grad_initial_auxiliary;
    float* grad_parameters;
    float* grad_v_threshold;
    float* checkpoints;
};

extern "C" __global__ void neuron_forward(const ForwardArguments a) {
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= a.neurons) return;
    float membrane = a.initial_membrane ? a.initial_membrane[i] : V_REST;
    float auxiliary = a.initial_auxiliary ? a.initial_auxiliary[i] : 0.0f;
    float learned[PARAMETERS + 1];
    read_parameters(a.parameters, learned);
    const float threshold = a.v_threshold ? *a.v_threshold : V_THRESHOLD;
#pragma unroll 4
    for (int t = 0; t < a.time_steps; ++t) {
        const long long at = (long long)t * a.neurons + i;
        const float spike = step(load(a.input, at), membrane, auxiliary, learned, threshold);
        store(a.spikes, at, spike);
        if (a.membranes) a.membranes[at] = membrane;
    }
    if (a.final_membrane) a.final_membrane[i] = membrane;
    if (a.final_auxiliary) a.final_auxiliary[i] = auxiliary;
}

extern "C" __global__ void neuron_backward(const BackwardArguments a) {
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= a.neurons) return;
    float learned[PARAMETERS + 1];
    read_parameters(a.parameters, learned);
    const float threshold = a.v_threshold ? *a.v_threshold : V_THRESHOLD;
    const float first_membrane = a.initial_membrane ? a.initial_membrane[i] : V_REST;
    const float first_auxiliary = a.initial_auxiliary ? a.initial_auxiliary[i] : 0.0f;
    const int chunks = (a.time_steps + CHUNK - 1) / CHUNK;

    // The states from which the second chunk and all later ones start.
    if (chunks > 1) {
        float membrane = first_membrane, auxiliary = first_auxiliary;
        for (int t = 0; t < (chunks - 1) * CHUNK; ++t) {
            step(load(a.input, (long long)t * a.neurons + i), membrane, auxiliary, learned, threshold);
            if ((t + 1) % CHUNK == 0) {
                const long long at = (long long)((t + 1) / CHUNK - 1) * 2 * a.neurons + i;
                a.checkpoints[at] = membrane;
                a.checkpoints[at + a.neurons] = auxiliary;
            }
        }
    }

    float grad_membrane = a.grad_final_membrane ? a.grad_final_membrane[i] : 0.0f;
    float grad_auxiliary = a.grad_final_auxiliary ? a.grad_final_auxiliary[i] : 0.0f;
    float sum_parameters[PARAMETERS + 1] = {}, sum_threshold = 0.0f;
    for (int chunk = chunks - 1; chunk >= 0; --chunk) {
        const int start = chunk * CHUNK;
        const long long saved = (long long)(chunk - 1) * 2 * a.neurons + i;
        float membrane = chunk > 0 ? a.checkpoints[saved] : first_membrane;
        float auxiliary = chunk > 0 ? a.checkpoints[saved + a.neurons] : first_auxiliary;
        // Indexed by constants alone once the loops are unrolled: these are registers.
        float inputs[CHUNK], membranes[CHUNK], auxiliaries[CHUNK];
#pragma unroll
        for (int k = 0; k < CHUNK; ++k) {
            if (start + k < a.time_steps) {
                inputs[k] = load(a.input, (long long)(start + k) * a.neurons + i);
                membranes[k] = membrane;
                auxiliaries[k] = auxiliary;
                step(inputs[k], membrane, auxiliary, learned, threshold);
            }
        }
#pragma unroll
        for (int k = CHUNK - 1; k >= 0; --k) {
            if (start + k < a.time_steps) {
                const long long at = (long long)(start + k) * a.neurons + i;
                const float grad_spike = a.grad_spikes ? load(a.grad_spikes, at) : a.uniform_grad;
                store(a.grad_input, at,
                      step_backward(inputs[k], membranes[k], auxiliaries[k], learned, threshold, grad_spike,
                                    grad_membrane, grad_auxiliary, sum_parameters, sum_threshold));
            }
        }
    }
    if (a.grad_initial_membrane) a.grad_initial_membrane[i] = grad_membrane;
    if (a.grad_initial_auxiliary) a.grad_initial_auxiliary[i] = grad_auxiliary;
#pragma unroll
    for (int p = 0; p < PARAMETERS; ++p) {
        if (a.grad_parameters) a.grad_parameters[(long long)p * a.neurons + i] = sum_parameters[p];
    }
    if (a.grad_v_threshold) a.grad_v_threshold[i] = sum_threshold;
}
