// Features that libtorch offers only in C++, as C functions. No exception leaves this file: every function
// that can fail runs within `guarded`, which catches everything and returns its text.

#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/autograd/edge.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/version.h>

#include "guarded.h"

#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

// Rust's side of a backward pass. `saved` and `grads` are borrowed (null: undefined); `needed` tells which
// inputs need a gradient; each of `results` that it sets is a tensor whose ownership it passes on. Returns
// null, or the text of an error, which the caller owns and frees by `drop_text`.
using Backward = char* (*)(void* node, at::Tensor** saved, size_t saved_count, at::Tensor** grads,
                           size_t grad_count, const uint8_t* needed, at::Tensor** results, size_t result_count);

// An autograd node whose backward is a Rust function.
struct RustNode : public torch::autograd::Node {
  void* node = nullptr;
  Backward backward = nullptr;
  void (*drop)(void*) = nullptr;
  void (*drop_text)(char*) = nullptr;
  std::string label;
  size_t input_count = 0;
  std::vector<SavedVariable> saved;
  bool released = false;

  ~RustNode() override { drop(node); }

  std::string name() const override { return label; }

  // Required by libtorch for every node: several threads may run backward passes of graphs that share it.
  void release_variables() override {
    std::lock_guard<std::mutex> lock(mutex_);
    saved.clear();
    released = true;
  }

  variable_list apply(variable_list&& grads) override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (at::GradMode::is_enabled()) {
      throw std::runtime_error(label + ": it has no second derivative (create_graph)");
    }
    if (released) {
      throw std::runtime_error(label + ": backward through the same graph a second time, without keep_graph");
    }
    auto self = shared_from_this();
    variable_list held;
    held.reserve(saved.size());
    for (auto& variable : saved) held.push_back(variable.unpack(self));
    std::vector<at::Tensor*> held_pointers, grad_pointers;
    for (auto& tensor : held) held_pointers.push_back(tensor.defined() ? &tensor : nullptr);
    for (auto& tensor : grads) grad_pointers.push_back(tensor.defined() ? &tensor : nullptr);
    std::vector<uint8_t> needed;
    for (size_t i = 0; i < input_count; ++i) needed.push_back(task_should_compute_output(i));
    std::vector<at::Tensor*> results(input_count, nullptr);
    char* error = backward(node, held_pointers.data(), held_pointers.size(), grad_pointers.data(),
                           grad_pointers.size(), needed.data(), results.data(), results.size());
    variable_list out(input_count);
    for (size_t i = 0; i < input_count; ++i) {
      if (results[i] != nullptr) {
        out[i] = std::move(*results[i]);
        delete results[i];
      }
    }
    if (error != nullptr) {
      std::string text = label + ": " + error;
      drop_text(error);
      throw std::runtime_error(text);
    }
    return out;
  }
};

}  // namespace

extern "C" {

// libtorch's version, a static string.
const char* tks_libtorch_version() { return TORCH_VERSION; }

// Frees a text that this file returned.
void tks_free_text(char* text) { free(text); }

// Drops the gradient that a leaf has accumulated. Returns null or an error's text.
char* tks_clear_grad(at::Tensor* leaf) {
  return guarded([&] { leaf->mutable_grad().reset(); });
}

// Writes the handle of libtorch's current stream on CUDA device `device` to `stream`. Returns null or an
// error's text.
char* tks_current_cuda_stream(int8_t device, void** stream) {
  return guarded([&] {
    c10::impl::VirtualGuardImpl guard(c10::DeviceType::CUDA);
    *stream = guard.getStream(c10::Device(c10::DeviceType::CUDA, device)).native_handle();
  });
}

// Makes `outputs` depend on `inputs` (null: absent) through a Rust backward function if gradients are being
// recorded and an input requires one; otherwise drops `node`. Takes ownership of `node` in every case.
// Returns null or an error's text.
char* tks_record(const char* label, at::Tensor** inputs, size_t input_count, at::Tensor** outputs,
                 size_t output_count, at::Tensor** saved, size_t saved_count, void* node, Backward backward,
                 void (*drop)(void*), void (*drop_text)(char*)) {
  std::shared_ptr<RustNode> recorded;
  char* error = guarded([&] { recorded = std::shared_ptr<RustNode>(new RustNode(), torch::autograd::deleteNode); });
  if (error != nullptr) {
    drop(node);
    return error;
  }
  recorded->node = node;
  recorded->backward = backward;
  recorded->drop = drop;
  recorded->drop_text = drop_text;
  return guarded([&] {
    recorded->label = label;
    if (!at::GradMode::is_enabled()) return;
    torch::autograd::edge_list edges;
    bool wanted = false;
    for (size_t i = 0; i < input_count; ++i) {
      bool differentiable = inputs[i] != nullptr && inputs[i]->defined() && inputs[i]->requires_grad();
      wanted = wanted || differentiable;
      edges.push_back(differentiable ? torch::autograd::impl::gradient_edge(*inputs[i])
                                     : torch::autograd::Edge());
    }
    if (!wanted) return;
    recorded->input_count = input_count;
    recorded->set_next_edges(std::move(edges));
    for (size_t i = 0; i < saved_count; ++i) {
      recorded->saved.emplace_back(saved[i] != nullptr ? *saved[i] : at::Tensor(), false);
    }
    for (size_t i = 0; i < output_count; ++i) torch::autograd::set_history(*outputs[i], recorded);
  });
}

}  // extern "C"
