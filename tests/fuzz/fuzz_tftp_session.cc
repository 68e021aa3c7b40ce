// A client that says anything at any time, against one transfer: it ends, and nobody can make it
// send more than a window for each packet it gets.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "agent/tftp/negotiate.h"
#include "common/base/check.h"
#include "tests/support/fake_tftp_file.h"
#include "tests/support/run_task.h"

namespace {

using namespace farboot;

/// Each packet of the input: two bytes of what happens before it (silence, or how late it is), a
/// byte of length, and its bytes. After the last one the client is silent.
class FuzzedPeer final : public TftpPeer {
 public:
  FuzzedPeer(ByteView script, std::uint32_t window) : script_(script), window_(window) {}

  void send(std::span<const TftpPacket> packets) override {
    sent_ += packets.size();
    // By the client's packets, by resends in silence, and by the first window.
    FARBOOT_CHECK(sent_ <= (heard_ + silences_ + 2) * (window_ + 1));
    for (const TftpPacket& packet : packets)
      FARBOOT_CHECK(packet.header_bytes + packet.payload.size() <= 1472);
  }

  Task<TftpArrival> receive(SteadyTime deadline) override {
    TftpArrival arrival;
    const bool late = script_.size() < 4 || (script_[0] & 1) != 0;
    if (late) {
      if (deadline > now_) ++silences_;
      FARBOOT_CHECK(++looks_ < 1'000'000);  // it ends
      now_ = std::max(now_, deadline);
      if (script_.size() >= 4) script_ = script_.subspan(1);
      co_return arrival;
    }
    ++heard_;
    const std::chrono::microseconds after(script_[1] * 100);
    now_ = std::min(now_ + after, std::max(now_, deadline));
    const std::size_t size = std::min<std::size_t>(script_[2] % 16, script_.size() - 3);
    arrival.what = TftpArrival::What::packet;
    arrival.bytes = script_.subspan(3, size);
    script_ = script_.subspan(3 + size);
    co_return arrival;
  }
  SteadyTime now() const override { return now_; }

 private:
  ByteView script_;
  std::uint64_t window_;
  SteadyTime now_;
  std::uint64_t sent_ = 0, heard_ = 0, silences_ = 0, looks_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 4) return 0;
  // The request, by four bytes.
  tftp::Request request;
  request.path = "x";
  if ((bytes[0] & 1) != 0) request.options.push_back({"blksize", std::to_string(8 + bytes[1])});
  if ((bytes[0] & 2) != 0) request.options.push_back({"windowsize", std::to_string(bytes[2])});
  if ((bytes[0] & 4) != 0) request.options.push_back({"tsize", "0"});
  if ((bytes[0] & 8) != 0) request.options.push_back({"timeout", "1"});
  FakeTftpFile file(std::uint64_t{bytes[3]} * 64);
  if ((bytes[0] & 16) != 0) file.fails_at = 100;
  const TftpTransfer terms = negotiate(request, file.size_bytes(), {});
  FuzzedPeer peer(ByteView(bytes, size).subspan(4), terms.window_blocks);
  const auto sent = run_task(send_file(peer, file, terms));
  FARBOOT_CHECK(!sent || *sent == file.size_bytes());
  return 0;
}
