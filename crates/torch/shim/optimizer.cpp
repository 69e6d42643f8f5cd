// libtorch's fused optimiser steps, which are otherwise usable only from Python. `guarded`, as in shim.cpp,
// lets no exception out.

#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/core/grad_mode.h>

#include "guarded.h"

#include <vector>

namespace {

std::vector<at::Tensor> list(at::Tensor** tensors, size_t count) {
  std::vector<at::Tensor> all;
  all.reserve(count);
  for (size_t i = 0; i < count; ++i) all.push_back(*tensors[i]);
  return all;
}

}  // namespace

extern "C" {

// One step of AdamW for `count` parameters; each array has `count` tensors. Returns null or an error's text.
char* tks_fused_adamw(size_t count, at::Tensor** parameters, at::Tensor** gradients, at::Tensor** first,
                      at::Tensor** second, at::Tensor** steps, double lr, double beta1, double beta2,
                      double weight_decay, double eps) {
  return guarded([&] {
    at::NoGradGuard guard;
    at::_fused_adamw_(list(parameters, count), list(gradients, count), list(first, count), list(second, count),
                      {}, list(steps, count), lr, beta1, beta2, weight_decay, eps, /*amsgrad=*/false,
                      /*maximize=*/false);
  });
}

// One step of SGD with momentum for `count` parameters; `momenta` is empty (null) without. Returns null or an
// error's text.
char* tks_fused_sgd(size_t count, at::Tensor** parameters, at::Tensor** gradients, at::Tensor** momenta,
                    double lr, double momentum, double weight_decay, bool nesterov, bool is_first) {
  return guarded([&] {
    at::NoGradGuard guard;
    at::_fused_sgd_(list(parameters, count), list(gradients, count),
                    momenta == nullptr ? std::vector<at::Tensor>() : list(momenta, count), weight_decay, momentum,
                    lr, /*dampening=*/0.0, nesterov, /*maximize=*/false, is_first);
  });
}

}  // extern "C"
