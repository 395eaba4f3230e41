// Reads golden.bin: pictures, and what the original model answers to them. The format is in README.md; its
// numbers are little-endian, as those of every processor that ncnn is built for.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <string>
#include <vector>

struct GoldenOutput
{
    std::string name;
    std::vector<uint32_t> dims;  // of one picture's answer
    size_t size;                 // their product
    std::vector<float> values;   // count x size
};

struct Golden
{
    uint32_t count, height, width, channels;
    std::vector<uint8_t> images;  // count x height x width x channels; RGB or grey
    std::vector<GoldenOutput> outputs;
};

class GoldenReader
{
public:
    // False where the file is missing, cut short, too long or not of this format; `reason` then says why.
    bool read(const std::string& path, Golden* golden, std::string* reason)
    {
        FILE* file = fopen(path.c_str(), "rb");
        if (!file)
        {
            *reason = "cannot open " + path;
            return false;
        }
        unsigned char buffer[65536];
        for (size_t got; (got = fread(buffer, 1, sizeof buffer, file)) > 0;)
            bytes_.insert(bytes_.end(), buffer, buffer + got);
        fclose(file);
        if (parse(golden) && at_ == bytes_.size())
            return true;
        *reason = path + " is damaged";
        return false;
    }

private:
    bool parse(Golden* golden)
    {
        char magic[8];
        uint32_t outputs = 0;
        if (!take(magic, 8) || memcmp(magic, "VNVGOLD1", 8) != 0)
            return false;
        if (!number(&golden->count) || !number(&golden->height) || !number(&golden->width)
            || !number(&golden->channels) || !number(&outputs) || outputs > 64)
            return false;
        golden->outputs.resize(outputs);
        for (GoldenOutput& output : golden->outputs)
            if (!header(&output))
                return false;
        const uint64_t pixels = (uint64_t)golden->count * golden->height * golden->width * golden->channels;
        if (golden->count < 2 || golden->count > 65536 || !array(&golden->images, pixels))
            return false;
        for (GoldenOutput& output : golden->outputs)
            if (!array(&output.values, (uint64_t)golden->count * output.size))
                return false;
        return true;
    }

    bool header(GoldenOutput* output)
    {
        uint32_t length = 0, rank = 0;
        if (!number(&length) || length > 255)
            return false;
        std::vector<char> name(length + 1, '\0');
        if (!take(&name[0], length) || !number(&rank) || rank < 1 || rank > 3)
            return false;
        output->name = &name[0];
        output->dims.resize(rank);
        output->size = 1;
        for (uint32_t& dim : output->dims)
        {
            if (!number(&dim) || dim < 1 || dim > (1u << 24) || output->size > (1u << 28) / dim)
                return false;
            output->size *= dim;
        }
        return true;
    }

    template <typename T>
    bool array(std::vector<T>* values, uint64_t count)
    {
        if (count < 1 || count > (bytes_.size() - at_) / sizeof(T))
            return false;
        values->resize((size_t)count);
        return take(values->data(), (size_t)count * sizeof(T));
    }

    bool number(uint32_t* value)
    {
        unsigned char b[4];
        if (!take(b, 4))
            return false;
        *value = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        return true;
    }

    bool take(void* target, size_t size)
    {
        if (size > bytes_.size() - at_)
            return false;
        memcpy(target, bytes_.data() + at_, size);
        at_ += size;
        return true;
    }

    std::vector<unsigned char> bytes_;
    size_t at_ = 0;
};
