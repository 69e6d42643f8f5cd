//! What a spiking neuron computes.
