// Self-test: the model on this machine against the original's answers in golden.bin.
//
//     self_test [FOLDER] [--threads N] [--half] [--repeat N]
//
// Ends with 0 (PASS), 1 (FAIL: the answers are not the original's) or 2 (it could not run).

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "golden.h"
#include "model.h"

struct Options
{
    std::string folder = ".";
    int threads = 1, repeat = 50;
    bool half = false;
};

static bool parse(int argc, char** argv, Options* options)
{
    for (int i = 1; i < argc; i++)
    {
        const std::string word = argv[i];
        const int value = i + 1 < argc ? atoi(argv[i + 1]) : 0;
        if (word == "--half")
            options->half = true;
        else if ((word == "--threads" || word == "--repeat") && value > 0)
        {
            (word == "--threads" ? options->threads : options->repeat) = value;
            i++;
        }
        else if (word[0] != '-')
            options->folder = word;
        else
            return false;
    }
    return true;
}

// Largest difference of an output over its spread: how far apart the answers to different pictures lie.
// An answer that is not a number gives infinity.
static double difference(const GoldenOutput& wanted, const std::vector<std::vector<float> >& got)
{
    double gap = 0, spread = 0;
    for (size_t at = 0; at < wanted.size; at++)
    {
        float low = wanted.values[at], high = low;
        for (size_t i = 0; i < got.size(); i++)
        {
            const float right = wanted.values[i * wanted.size + at];
            low = std::min(low, right);
            high = std::max(high, right);
            const double here = fabs((double)got[i][at] - right);
            gap = here <= gap ? gap : (here > gap ? here : INFINITY);
        }
        spread = std::max(spread, (double)high - low);
    }
    return gap / std::max(spread, 1e-30);
}

static int fail(const std::string& reason)
{
    fprintf(stderr, "self_test: %s\n", reason.c_str());
    return 2;
}

static void print_times(const Model& model, const uint8_t* image, const Options& options)
{
    std::vector<double> ms;
    Answers answers;
    for (int i = 0; i < options.repeat; i++)
    {
        const std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
        model.run(image, &answers);
        ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    }
    std::sort(ms.begin(), ms.end());
    const size_t last = ms.size() - 1;
    printf("%-10s p50 %.2f ms, p95 %.2f ms; %d runs, %d thread%s, preprocessing included\n", "time",
           ms[last / 2], ms[(size_t)ceil(0.95 * last)], options.repeat, options.threads,
           options.threads > 1 ? "s" : "");
}

int main(int argc, char** argv)
{
    Options options;
    if (!parse(argc, argv, &options))
        return fail("usage: self_test [FOLDER] [--threads N] [--half] [--repeat N]");
    std::string reason;
    Golden golden;
    GoldenReader reader;
    if (!reader.read(options.folder + "/golden.bin", &golden, &reason))
        return fail(reason);
    using namespace preprocess;
    const size_t n_outputs = sizeof kOutputs / sizeof kOutputs[0];
    if (golden.height != kHeight || golden.width != kWidth || golden.channels != kChannels
        || golden.outputs.size() != n_outputs)
        return fail("golden.bin is of another model than preprocess.h");
    Model model;
    if (!model.load(options.folder, options.threads, options.half, &reason))
        return fail(reason);
    printf("%-10s %s, target %s, %d x %d x %d, %u golden pictures\n", "model", kName, kTarget, kHeight, kWidth,
           kChannels, golden.count);

    const size_t picture = (size_t)kHeight * kWidth * kChannels;
    std::vector<std::vector<std::vector<float> > > got(n_outputs);
    for (size_t i = 0; i < golden.count; i++)
    {
        Answers answers;
        if (!model.run(&golden.images[i * picture], &answers))
            return fail("inference failed");
        for (size_t k = 0; k < n_outputs; k++)
        {
            if (golden.outputs[k].name != kOutputs[k] || answers[k].size() != golden.outputs[k].size)
                return fail("output " + golden.outputs[k].name + " has another name or size than the original's");
            got[k].push_back(answers[k]);
        }
    }
    bool passed = true;
    for (size_t k = 0; k < n_outputs; k++)
    {
        const double gap = difference(golden.outputs[k], got[k]);
        const bool good = gap <= kTolerance[k];
        passed = passed && good;
        printf("%-10s relative difference %.3g (at most %g) %s\n", kOutputs[k], gap, kTolerance[k], good ? "ok" : "WRONG");
    }
    print_times(model, &golden.images[0], options);
    printf("%s\n", passed ? "PASS" : "FAIL");
    return passed ? 0 : 1;
}
