// How each kind of client asks and what goes back and forth: golden transcripts.
#include <algorithm>

#include <gtest/gtest.h>

#include "agent/tftp/negotiate.h"
#include "tests/support/fake_tftp_file.h"
#include "tests/support/golden.h"
#include "tests/support/run_task.h"

namespace farboot {
namespace {

std::string packet_text(ByteView packet) {
  if (const auto request = tftp::decode_request(packet)) {
    std::string text = "RRQ " + request->path;
    for (const auto& option : request->options) text += " " + option.name + "=" + option.value;
    return text;
  }
  if (const auto oack = tftp::decode_oack(packet)) {
    std::string text = "OACK";
    for (const auto& option : oack->options) text += " " + option.name + "=" + option.value;
    return text;
  }
  if (const auto data = tftp::decode_data(packet))
    return fmt::format("DATA {} {} bytes", data->block, data->payload.size());
  if (const auto ack = tftp::decode_ack(packet)) return fmt::format("ACK {}", ack->block);
  if (const auto error = tftp::decode_error(packet))
    return fmt::format("ERROR {} {}", error->code, error->text);
  return "?";
}

/// A client that writes down what it hears and says what it is told to.
class ScribePeer final : public TftpPeer {
 public:
  struct Habits {
    std::uint32_t window_blocks = 1;
    std::optional<std::pair<int, std::string>> aborts_at_once;  ///< instead of its first ACK
    std::uint16_t closes_at_block = 0;  ///< as GRUB does, which leaves out the text's NUL
  };
  ScribePeer(Habits habits, std::uint32_t block_bytes)
      : habits_(std::move(habits)), block_bytes_(block_bytes) {}

  void send(std::span<const TftpPacket> packets) override {
    for (const TftpPacket& packet : packets) {
      Bytes bytes(packet.header.begin(),
                  packet.header.begin() + static_cast<std::ptrdiff_t>(packet.header_bytes));
      bytes.insert(bytes.end(), packet.payload.begin(), packet.payload.end());
      write("<- ", bytes);
      hear(bytes);
    }
  }
  Task<TftpArrival> receive(SteadyTime deadline) override {
    TftpArrival arrival;
    if (says_.empty()) {
      now_ = std::max(now_, deadline);
      co_return arrival;
    }
    current_ = std::move(says_.front());
    says_.erase(says_.begin());
    write("-> ", current_);
    arrival.what = TftpArrival::What::packet;
    arrival.bytes = current_;
    co_return arrival;
  }
  SteadyTime now() const override { return now_; }
  void write(std::string_view arrow, ByteView packet) {
    transcript += std::string(arrow) + packet_text(packet) + "\n";
  }
  std::string transcript;

 private:
  void hear(ByteView packet) {
    if (habits_.aborts_at_once) {
      says_.push_back(
          tftp::encode_error(static_cast<tftp::ErrorCode>(habits_.aborts_at_once->first),
                             habits_.aborts_at_once->second));
      return;
    }
    std::uint16_t block = 0;
    if (const auto data = tftp::decode_data(packet)) {
      block = data->block;
      if (++in_window_ < habits_.window_blocks && data->payload.size() == block_bytes_) return;
      in_window_ = 0;
    }
    if (habits_.closes_at_block != 0 && block >= habits_.closes_at_block) {
      says_.push_back(to_bytes(std::string_view("\0\5\0\0closed", 10)));
      return;
    }
    const auto ack = tftp::encode_ack(block);
    says_.emplace_back(ack.begin(), ack.end());
  }

  Habits habits_;
  std::uint32_t block_bytes_;
  std::uint32_t in_window_ = 0;
  SteadyTime now_;
  std::vector<Bytes> says_;
  Bytes current_;
};

struct Fingerprint {
  std::string name;
  std::vector<tftp::Option> options;
  ScribePeer::Habits habits;
  std::uint64_t size_bytes = 5000;
};

std::vector<Fingerprint> fingerprints() {
  return {
      {.name = "ipxe", .options = {{"blksize", "1432"}, {"tsize", "0"}}},
      {.name = "edk2_probe",
       .options = {{"tsize", "0"}, {"blksize", "1468"}, {"windowsize", "4"}},
       .habits = {.aborts_at_once = {{8, "User aborted the transfer"}}}},
      {.name = "edk2_read",
       .options = {{"blksize", "1468"}, {"windowsize", "4"}},
       .habits = {.window_blocks = 4},
       .size_bytes = 1468 * 10},
      {.name = "edk2_read_old", .options = {{"blksize", "1468"}}},
      {.name = "intel_rom_probe",
       .options = {{"tsize", "0"}},
       .habits = {.aborts_at_once = {{0, "TFTP Aborted"}}}},
      {.name = "intel_rom_read", .options = {{"blksize", "1456"}}},
      {.name = "shim", .options = {{"blksize", "512"}}},
      {.name = "grub", .options = {{"blksize", "1024"}, {"tsize", "0"}}},
      {.name = "grub_close",
       .options = {{"blksize", "1024"}, {"tsize", "0"}},
       .habits = {.closes_at_block = 3}},
      {.name = "wds_bootmgr",
       .options = {{"tsize", "0"}, {"blksize", "1456"}, {"windowsize", "8"}},
       .habits = {.window_blocks = 8},
       .size_bytes = 1456 * 12 + 7},
      {.name = "uboot", .options = {{"timeout", "5"}, {"tsize", "0"}, {"blksize", "1468"}}},
      {.name = "uboot_window",
       .options = {{"timeout", "5"}, {"tsize", "0"}, {"blksize", "1468"}, {"windowsize", "8"}},
       .habits = {.window_blocks = 8},
       .size_bytes = 1468 * 16},
      {.name = "raspberry_pi", .options = {}, .size_bytes = 1024},
      {.name = "raspberry_pi_4", .options = {{"tsize", "0"}, {"blksize", "1024"}}},
      {.name = "empty_file", .options = {{"tsize", "0"}}, .size_bytes = 0},
      {.name = "wants_too_much",
       .options = {{"blksize", "65464"}, {"windowsize", "1000"}, {"rollover", "0"}},
       .habits = {.window_blocks = 64},
       .size_bytes = 3000},
  };
}

TEST(TftpExchange, IsWhatEachClientExpects) {
  for (const Fingerprint& fingerprint : fingerprints()) {
    SCOPED_TRACE(fingerprint.name);
    tftp::Request request;
    request.path = "file";
    request.options = fingerprint.options;
    const TftpTransfer terms = negotiate(request, fingerprint.size_bytes, {});
    ScribePeer peer(fingerprint.habits, terms.block_bytes);
    peer.write("-> ", tftp::encode_request(request));
    FakeTftpFile file(fingerprint.size_bytes);
    const auto sent = run_task(send_file(peer, file, terms));
    peer.transcript +=
        sent ? fmt::format("sent {} bytes\n", *sent)
             : fmt::format("{}: {}\n", to_string(sent.error().code), sent.error().what);
    golden::expect(golden::folder("tftp") / (fingerprint.name + ".txt"), peer.transcript);
  }
}

}  // namespace
}  // namespace farboot
