// What dfdx's kernels expect of CUDA C++, for a host compiler: one thread of the device at a time.
#pragma once
#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#define __CUDA_ARCH__ 900
#define __global__ __attribute__((weak))
#define __device__ static inline
#define __forceinline__
#define __shared__ static

struct Dim {
    unsigned x, y, z;
};
extern Dim threadIdx, blockIdx, blockDim, gridDim;
void __syncthreads();

using std::isnan;
using std::max;
using std::min;
using std::signbit;

template <class To, class From> To bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "");
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}
static inline float __uint_as_float(unsigned x) { return bits<float>(x); }
static inline unsigned __float_as_uint(float x) { return bits<unsigned>(x); }
static inline float __int_as_float(int x) { return bits<float>(x); }
static inline int __float_as_int(float x) { return bits<int>(x); }
static inline double __longlong_as_double(long long x) { return bits<double>(x); }
static inline long long __double_as_longlong(double x) { return bits<long long>(x); }

// One thread at a time: nothing can come between.
template <class T> T exchanged(T *at, T value) { return std::exchange(*at, value); }
template <class T, class V> T atomicAdd(T *at, V value) { return exchanged(at, T(*at + value)); }
template <class T, class V> T atomicMax(T *at, V value) { return exchanged(at, std::max(*at, T(value))); }
template <class T, class V> T atomicMin(T *at, V value) { return exchanged(at, std::min(*at, T(value))); }
template <class T, class V> T atomicCAS(T *at, T old, V value) { return exchanged(at, *at == old ? T(value) : *at); }

// Kernels by name, called with the addresses of their arguments.
using Call = void (*)(void **);
bool enter(const char *name, Call call);
template <class... A, std::size_t... I>
void invoke(void (*kernel)(A...), void **at, std::index_sequence<I...>) {
    kernel(*static_cast<A *>(at[I])...);
}
template <class... A> void invoke(void (*kernel)(A...), void **at) {
    invoke(kernel, at, std::index_sequence_for<A...>{});
}
#define KERNEL(name) static bool entered_##name = enter(#name, [](void **at) { invoke(name, at); });
