// An emulated GPU: the part of the CUDA driver and of cuBLAS that dfdx uses, on the host, one thread at a time.
//
// Its kernels are dfdx's own sources. It is strict where a GPU is lenient: memory comes filled with NaN, an access past
// its end or after its release is a segmentation fault, a thread that misses a barrier ends the program. What it cannot
// show is what only concurrency shows. EMULATED_GPU says what it should be like, `gpus=0` say; see `Settings`.
#include "device.h"
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

using Status = int;
using Address = std::uintptr_t;
constexpr Status OK = 0, INVALID = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, BAD_DEVICE = 101, NOT_FOUND = 500;

Dim threadIdx, blockIdx, blockDim, gridDim;

namespace {

[[noreturn]] void die(const char *what) {
    std::fprintf(stderr, "emulated GPU: %s\n", what);
    std::abort();
}

struct Settings {
    long gpus = 1;
    long init = 0;           // status of cuInit
    long module = 0;         // status of every cuModuleLoadData
    long memory = 1L << 34;  // bytes
    long fail = 0;           // status of a launch and of all that follows it,
    long at = -1;            // being this launch
    std::string profile;     // a file to write the counts to at the end

    Settings() {
        const char *text = std::getenv("EMULATED_GPU");
        std::string rest = text ? text : "";
        while (!rest.empty()) {
            std::size_t comma = rest.find(','), equals = rest.find('=');
            std::string name = rest.substr(0, equals), value = rest.substr(equals + 1, comma - equals - 1);
            rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
            if (name == "profile") profile = value;
            else if (long *number = find(name)) *number = std::atol(value.c_str());
            else die(("EMULATED_GPU has no setting " + name).c_str());
        }
    }

    long *find(const std::string &name) {
        const std::map<std::string, long *> all{{"gpus", &gpus}, {"init", &init}, {"module", &module},
                                                {"memory", &memory}, {"fail", &fail}, {"at", &at}};
        auto found = all.find(name);
        return found == all.end() ? nullptr : found->second;
    }
};

struct Count {
    long calls = 0, amount = 0;
};

struct Gpu {
    std::recursive_mutex turn;
    Settings settings;
    std::map<Address, std::size_t> live;
    std::size_t used = 0, most = 0;
    long launches = 0;
    Status broken = OK;
    std::map<std::string, Count> counts;

    void count(const std::string &what, long amount) {
        Count &count = counts[what];
        count.calls += 1;
        count.amount += amount;
    }

    ~Gpu() {
        if (settings.profile.empty()) return;
        if (std::FILE *file = std::fopen(settings.profile.c_str(), "w")) {
            count("most", long(most));
            for (auto &[what, count] : counts)
                std::fprintf(file, "%s %ld %ld\n", what.c_str(), count.calls, count.amount);
            std::fclose(file);
        }
    }
};

Gpu &gpu() {
    static Gpu gpu;
    return gpu;
}

// Not in Gpu, for kernels enter themselves before anything else is made.
std::map<std::string, Call> &kernels() {
    static std::map<std::string, Call> kernels;
    return kernels;
}

constexpr std::size_t PAGE = 4096;

std::size_t pages(std::size_t bytes) { return (bytes + PAGE - 1) / PAGE * PAGE; }

// Ends where its last page ends, before one that may not be touched.
Address reserve(std::size_t bytes) {
    std::size_t length = pages(bytes);
    void *base = mmap(nullptr, length + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) die("the host has no memory");
    mprotect(static_cast<char *>(base) + length, PAGE, PROT_NONE);
    std::memset(base, 0xff, length);
    return reinterpret_cast<Address>(base) + length - (bytes + 7) / 8 * 8;
}

void release(Address at, std::size_t bytes) {
    munmap(reinterpret_cast<void *>(at / PAGE * PAGE), pages(bytes) + PAGE);
}

// The threads of a block, each on a stack of its own so that it can wait at a barrier. A stack is entered once and then
// serves the thread of its number in every block: jumping between them asks nothing of the kernel.
struct Block {
    static constexpr std::size_t STACK = 1 << 16;
    std::unique_ptr<char[]> stacks{new char[1024 * STACK]};
    jmp_buf home, places[1024];
    bool entered[1024] = {}, done[1024];
    unsigned current = 0;
    bool waited = false, fibers = false;
    Call call = nullptr;
    void **arguments = nullptr;

    static Block &one() {
        static Block block;
        return block;
    }

    static void serve() {
        for (Block &block = one();; block.leave()) {
            block.call(block.arguments);
            block.done[block.current] = true;
        }
    }

    void leave() {
        if (!_setjmp(places[current])) _longjmp(home, 1);
    }

    void resume(unsigned thread) {
        if (_setjmp(home)) return;
        if (entered[thread]) _longjmp(places[thread], 1);
        entered[thread] = true;
        ucontext_t context;
        getcontext(&context);
        context.uc_stack.ss_sp = stacks.get() + thread * STACK;
        context.uc_stack.ss_size = STACK;
        makecontext(&context, serve, 0);
        setcontext(&context);
    }

    void run_with_barriers() {
        fibers = true;
        std::fill_n(done, blockDim.x, false);
        for (bool live = true; live;) {
            live = false;
            for (current = 0; current < blockDim.x; ++current) {
                if (done[current]) continue;
                threadIdx = {current, 0, 0};
                resume(current);
                live |= !done[current];
            }
        }
        fibers = false;
    }

    void run_without() {
        for (current = 0; current < blockDim.x; ++current) {
            threadIdx = {current, 0, 0};
            call(arguments);
        }
    }

    // Whether threads wait for each other is the same for all blocks of a launch of these kernels.
    void launch(Call kernel, unsigned grid, unsigned block, void **at) {
        call = kernel;
        arguments = at;
        gridDim = {grid, 1, 1};
        blockDim = {block, 1, 1};
        waited = false;
        for (unsigned b = 0; b < grid; ++b) {
            blockIdx = {b, 0, 0};
            if (b == 0 || waited) run_with_barriers();
            else run_without();
        }
    }
};

using Turn = std::lock_guard<std::recursive_mutex>;

void multiply(int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb, float beta,
              float *c, int ldc) {
    for (long j = 0; j < n; ++j) {
        float *column = c + j * ldc;
        for (long i = 0; i < m; ++i) column[i] = beta == 0 ? 0 : beta * column[i];
        for (long l = 0; l < k && !ta; ++l) {
            const float *from = a + l * lda, by = alpha * (tb ? b[j + l * ldb] : b[l + j * ldb]);
            for (long i = 0; i < m; ++i) column[i] += by * from[i];
        }
        for (long i = 0; i < m && ta; ++i) {
            const float *row = a + i * lda;
            float sum = 0;
            for (long l = 0; l < k; ++l) sum += row[l] * (tb ? b[j + l * ldb] : b[l + j * ldb]);
            column[i] += alpha * sum;
        }
    }
}

}  // namespace

void __syncthreads() {
    Block &block = Block::one();
    if (!block.fibers) die("a thread waits where those of the first block did not");
    block.waited = true;
    block.leave();
}

bool enter(const char *name, Call call) {
    kernels()[name] = call;
    return true;
}

extern "C" {

Status cuInit(unsigned) { return static_cast<Status>(gpu().settings.init); }
Status cuGetErrorString(int, const char **text) { return *text = "an emulated error", OK; }
Status cuDeviceGetCount(int *count) { return *count = static_cast<int>(gpu().settings.gpus), OK; }
Status cuDeviceGet(int *device, int ordinal) {
    if (gpu().settings.gpus == 0) return NO_DEVICE;
    return *device = ordinal, ordinal < gpu().settings.gpus ? OK : BAD_DEVICE;
}
Status cuDeviceGetName(char *name, int length, int) { return std::snprintf(name, length, "Emulated GPU"), OK; }
Status cuDeviceGetAttribute(int *value, int, int) { return *value = 1, OK; }
Status cuDevicePrimaryCtxRetain(void **context, int) { return *context = &gpu(), OK; }
Status cuDevicePrimaryCtxRelease_v2(int) { return gpu().broken; }
Status cuCtxSetCurrent(void *) { return gpu().broken; }
Status cuMemGetInfo_v2(std::size_t *free, std::size_t *total) {
    Turn turn(gpu().turn);
    *total = gpu().settings.memory;
    return *free = *total - gpu().used, gpu().broken;
}

Status cuMemAlloc_v2(Address *at, std::size_t bytes) {
    Turn turn(gpu().turn);
    if (gpu().broken) return gpu().broken;
    if (bytes == 0) return INVALID;
    if (gpu().used + bytes > std::size_t(gpu().settings.memory)) return OUT_OF_MEMORY;
    *at = reserve(bytes);
    gpu().live[*at] = bytes;
    gpu().used += bytes;
    gpu().most = std::max(gpu().most, gpu().used);
    gpu().count("alloc", long(bytes));
    return OK;
}
Status cuMemAllocAsync(Address *at, std::size_t bytes, void *) { return cuMemAlloc_v2(at, bytes); }

Status cuMemFree_v2(Address at) {
    Turn turn(gpu().turn);
    if (gpu().broken) return gpu().broken;
    auto found = gpu().live.find(at);
    if (found == gpu().live.end()) die("memory is released that was never had");
    release(at, found->second);
    gpu().used -= found->second;
    gpu().live.erase(found);
    return OK;
}
Status cuMemFreeAsync(Address at, void *) { return cuMemFree_v2(at); }

static Status copy(const char *what, Address to, Address from, std::size_t bytes) {
    Turn turn(gpu().turn);
    gpu().count(what, long(bytes));
    if (!gpu().broken) std::memmove(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes);
    return gpu().broken;
}
Status cuMemcpyDtoD_v2(Address to, Address from, std::size_t n) { return copy("dtod", to, from, n); }
Status cuMemcpyDtoDAsync_v2(Address to, Address from, std::size_t n, void *) { return copy("dtod", to, from, n); }
Status cuMemcpyDtoH_v2(Address to, Address from, std::size_t n) {
    return copy(("dtoh" + std::to_string(n)).c_str(), to, from, n);
}
Status cuMemcpyDtoHAsync_v2(Address to, Address from, std::size_t n, void *) { return cuMemcpyDtoH_v2(to, from, n); }
Status cuMemcpyHtoD_v2(Address to, Address from, std::size_t n) { return copy("htod", to, from, n); }
Status cuMemcpyHtoDAsync_v2(Address to, Address from, std::size_t n, void *) { return copy("htod", to, from, n); }
Status cuMemsetD8_v2(Address at, unsigned char value, std::size_t bytes) {
    Turn turn(gpu().turn);
    if (at == 0) return INVALID;
    gpu().count("memset", long(bytes));
    if (!gpu().broken) std::memset(reinterpret_cast<void *>(at), value, bytes);
    return gpu().broken;
}
Status cuMemsetD8Async(Address at, unsigned char value, std::size_t n, void *) { return cuMemsetD8_v2(at, value, n); }

// The image is not looked at: every kernel is here already.
Status cuModuleLoadData(void **module, const void *) { return *module = &gpu(), Status(gpu().settings.module); }
Status cuModuleGetFunction(const char **function, void *, const char *name) {
    auto found = kernels().find(name);
    if (found == kernels().end()) {
        std::fprintf(stderr, "emulated GPU: no kernel %s\n", name);
        return NOT_FOUND;
    }
    return *function = found->first.c_str(), OK;
}
Status cuModuleUnload(void *) { return gpu().broken; }

Status cuLaunchKernel(const char *name, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                      unsigned, void *, void **arguments, void **) {
    Turn turn(gpu().turn);
    if (gpu().settings.at == gpu().launches++) gpu().broken = Status(gpu().settings.fail);
    if (gpu().broken) return gpu().broken;
    if (gx == 0 || bx == 0 || bx > 1024 || gy * gz * by * bz != 1) return INVALID;
    gpu().count(name, long(gx) * bx);
    Block::one().launch(kernels().at(name), gx, bx, arguments);
    return OK;
}

Status cuStreamCreate(void **stream, unsigned) { return *stream = &gpu(), OK; }
Status cuStreamDestroy_v2(void *) { return gpu().broken; }
Status cuStreamSynchronize(void *) {
    Turn turn(gpu().turn);
    return gpu().count("synchronize", 0), gpu().broken;
}
Status cuStreamWaitEvent(void *, void *, unsigned) { return gpu().broken; }
Status cuEventCreate(void **event, unsigned) { return *event = &gpu(), OK; }
Status cuEventRecord(void *, void *) { return gpu().broken; }
Status cuEventDestroy_v2(void *) { return gpu().broken; }

Status cublasCreate_v2(void **handle) { return *handle = &gpu(), OK; }
Status cublasDestroy_v2(void *) { return OK; }
Status cublasSetStream_v2(void *, void *) { return OK; }
Status cublasSgemmStridedBatched(void *, int ta, int tb, int m, int n, int k, const float *alpha, const float *a, int lda,
                                 long long sa, const float *b, int ldb, long long sb, const float *beta, float *c, int ldc,
                                 long long sc, int batch) {
    Turn turn(gpu().turn);
    if (lda < (ta ? k : m) || ldb < (tb ? n : k) || ldc < m) return 7;  // CUBLAS_STATUS_INVALID_VALUE
    gpu().count("gemm", 2L * m * n * k * batch);
    for (int i = 0; i < batch; ++i)
        multiply(ta, tb, m, n, k, *alpha, a + i * sa, lda, b + i * sb, ldb, *beta, c + i * sc, ldc);
    return OK;
}
Status cublasSgemm_v2(void *handle, int ta, int tb, int m, int n, int k, const float *alpha, const float *a, int lda,
                      const float *b, int ldb, const float *beta, float *c, int ldc) {
    return cublasSgemmStridedBatched(handle, ta, tb, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1);
}

}  // extern "C"
