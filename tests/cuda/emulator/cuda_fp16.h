// Enough of half precision for kernels that mention it to compile; none of them is called.
#pragma once
#include "device.h"

struct __half {
    float value;
    __half() = default;
    template <class T> __half(T from) : value(static_cast<float>(from)) {}
    operator float() const { return value; }
    __half &operator+=(float by) { return value += by, *this; }
    __half &operator-=(float by) { return value -= by, *this; }
    __half &operator*=(float by) { return value *= by, *this; }
    __half &operator/=(float by) { return value /= by, *this; }
};
// With a number on either side, or another half.
#define HALF_OPERATOR(op)                                                                    \
    static inline __half operator op(__half a, __half b) { return a.value op b.value; }      \
    template <class T> __half operator op(__half a, T b) { return a.value op float(b); }     \
    template <class T> __half operator op(T a, __half b) { return float(a) op b.value; }
HALF_OPERATOR(+)
HALF_OPERATOR(-)
HALF_OPERATOR(*)
HALF_OPERATOR(/)
static inline float __half2float(__half x) { return x; }
static inline __half __float2half(float x) { return x; }
static inline unsigned short __half_as_ushort(__half x) { return static_cast<unsigned short>(x.value); }
static inline __half __ushort_as_half(unsigned short x) { return x; }
static inline bool __hisnan(__half x) { return std::isnan(x.value); }
static inline __half __hmax_nan(__half a, __half b) { return std::max(a.value, b.value); }
static inline __half __hmin_nan(__half a, __half b) { return std::min(a.value, b.value); }
static inline __half __habs(__half x) { return std::fabs(x.value); }
static inline __half hcos(__half x) { return std::cos(x.value); }
static inline __half hsin(__half x) { return std::sin(x.value); }
static inline __half hsqrt(__half x) { return std::sqrt(x.value); }
static inline __half hlog(__half x) { return std::log(x.value); }
static inline __half hexp(__half x) { return std::exp(x.value); }
