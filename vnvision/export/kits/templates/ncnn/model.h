// The model behind its preprocessing: a picture at the model's size in, the raw outputs out.
// Take this file, preprocess.h and the two model files into your own program.
#pragma once

#include <stdint.h>

#include <string>
#include <vector>

#include "net.h"

#include "preprocess.h"

typedef std::vector<std::vector<float> > Answers;  // one vector an output, in the order of kOutputs

class Model
{
public:
    // folder: where model.ncnn.param and model.ncnn.bin lie.
    // threads: 0 leaves the number to ncnn.
    // half: let ncnn store and compute in half precision where the processor can: faster on ARM, less exact.
    //       Run the self-test with --half on the board itself before you use it.
    bool load(const std::string& folder, int threads, bool half, std::string* reason)
    {
        net_.opt.use_vulkan_compute = false;
        net_.opt.use_fp16_packed = net_.opt.use_fp16_storage = net_.opt.use_fp16_arithmetic = half;
        net_.opt.use_bf16_storage = false;
        if (threads > 0)
            net_.opt.num_threads = threads;
        fill_table();
        const std::string param = folder + "/" + preprocess::kParam, bin = folder + "/" + preprocess::kBin;
        if (net_.load_param(param.c_str()) != 0)
            *reason = "cannot load " + param;
        else if (net_.load_model(bin.c_str()) != 0)
            *reason = "cannot load " + bin;
        else
            return true;
        return false;
    }

    // image: kHeight x kWidth x kChannels bytes, RGB (or grey), rows without padding.
    // flip: take the picture mirrored left to right. Where kFlipAverage is true, an answer is the mean over
    //       both views (maps of the second view mirrored back).
    bool run(const uint8_t* image, Answers* answers, bool flip = false) const
    {
        ncnn::Mat input(preprocess::kWidth, preprocess::kHeight, preprocess::kChannels);
        prepare(image, flip, &input);
        ncnn::Extractor extractor = net_.create_extractor();
        if (extractor.input(preprocess::kInput, input) != 0)
            return false;
        answers->clear();
        for (const char* name : preprocess::kOutputs)
        {
            ncnn::Mat output;
            if (extractor.extract(name, output) != 0)
                return false;
            answers->push_back(flat(output));
        }
        return true;
    }

private:
    // Range, mean and deviation as a table: computed in double and rounded once, as the trainer does.
    void fill_table()
    {
        using namespace preprocess;
        for (int c = 0; c < kChannels; c++)
            for (int level = 0; level < 256; level++)
                table_[c][level] = (float)(((level - kLow) / (kHigh - kLow) - kMean[c]) / kStd[c]);
    }

    void prepare(const uint8_t* image, bool flip, ncnn::Mat* input) const
    {
        using namespace preprocess;
        for (int c = 0; c < kChannels; c++)
        {
            const int from = kSwapRedBlue ? kChannels - 1 - c : c;
            float* plane = input->channel(c);
            for (int y = 0; y < kHeight; y++)
                for (int x = 0; x < kWidth; x++)
                {
                    const int column = flip ? kWidth - 1 - x : x;
                    plane[y * kWidth + x] = table_[c][image[(y * kWidth + column) * kChannels + from]];
                }
        }
    }

    // ncnn pads each plane of a blob; callers get plain numbers.
    static std::vector<float> flat(const ncnn::Mat& blob)
    {
        std::vector<float> values;
        const size_t plane = (size_t)blob.w * blob.h * blob.d;
        for (int c = 0; c < blob.c; c++)
        {
            const float* start = blob.channel(c);
            values.insert(values.end(), start, start + plane);
        }
        return values;
    }

    ncnn::Net net_;
    float table_[preprocess::kChannels][256];
};
