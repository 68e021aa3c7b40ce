#include "agent/tftp/send_file.h"

#include <algorithm>
#include <array>
#include <exception>
#include <optional>
#include <utility>

#include "agent/tftp/blocks.h"
#include "agent/tftp/pace.h"
#include "agent/tftp/resend_timer.h"

// g++ 12 sees no constructor where a coroutine returns an empty variant.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace farboot {
namespace {

constexpr unsigned kLateResendsMax = 3;      ///< of the last block, while lingering
constexpr std::uint64_t kNumbers = 1 << 16;  ///< block numbers wrap: 65535 is followed by 0

/// A transfer under way. Blocks are counted with 64 bits; only packets know 16.
class Transfer {
 public:
  Transfer(TftpPeer& peer, TftpFile& file, TftpTransfer terms)
      : peer_(peer),
        terms_(std::move(terms)),
        blocks_(file, terms_.block_bytes, terms_.piece_bytes),
        timer_(terms_.timing),
        heard_(peer.now()),
        progressed_(heard_) {}

  Task<Result<std::uint64_t>> run();
  /// Until nothing of this uses the file.
  Task<void> settle() { return blocks_.settle(); }

 private:
  enum class Heard : std::uint8_t {
    progress,  ///< acknowledged more than before
    nothing,   ///< silence, or a packet that changes nothing
    restart,   ///< the client reports a gap
  };

  Task<Result<void>> agree();
  Task<Result<void>> send_window();
  Task<Result<void>> send_burst();
  Task<void> linger();
  Result<Heard> hear(const TftpArrival& arrival);
  Heard on_ack(std::uint16_t number);
  Result<void> on_silence();
  void go_back();
  void on_progress(std::uint64_t block);
  void measured_since(SteadyTime sent) {
    timer_.measured(std::chrono::duration_cast<ResendTimer::Duration>(heard_ - sent));
  }
  SteadyTime deadline() const {
    const SteadyTime resend = sent_ + timer_.current();
    return doubted_ ? std::min(resend, suspect_until_) : resend;
  }
  std::uint64_t window_end() const {
    return std::min(acked_ + terms_.window_blocks, blocks_.count());
  }
  void send_one(ByteView packet) {
    const TftpPacket one{.header = {}, .payload = packet, .header_bytes = 0};
    peer_.send(std::span(&one, 1));
  }

  TftpPeer& peer_;
  TftpTransfer terms_;
  Blocks blocks_;
  ResendTimer timer_;
  Pace pace_;

  std::uint64_t acked_ = 0;    ///< every block up to this one
  std::uint64_t next_ = 1;     ///< to be sent
  std::uint64_t highest_ = 0;  ///< ever sent
  SteadyTime sent_;            ///< the last packet
  SteadyTime heard_;           ///< the client's last sign of life
  SteadyTime progressed_;      ///< its last that acknowledged something
  bool answered_ = false;      ///< it has sent one at all
  unsigned first_sends_ = 0;
  SteadyTime begun_;    ///< the first of what is under way
  bool begins_ = true;  ///< the next block is that
  bool once_ = true;    ///< silence did not send it again: an answer tells the trip (Karn)
  std::optional<SteadyTime> restarted_;  ///< at this value of acked_, for the client said so
  std::optional<SteadyTime> resent_;     ///< after silence; until something is acknowledged
  SteadyTime suspect_until_;             ///< until then the client may speak of what went out twice
  bool doubted_ = false;  ///< it spoke of a gap meanwhile; none if it acknowledges more
};

Task<Result<std::uint64_t>> Transfer::run() {
  if (!terms_.oack.empty()) {
    auto agreed = co_await agree();
    if (!agreed) co_return agreed.error();
  }
  while (acked_ < blocks_.count()) {
    auto sent = co_await send_window();
    if (!sent) {
      if (sent.error().code != Errc::cancelled)
        send_one(tftp::encode_error(tftp::error_code(sent.error().code), "read error"));
      co_return sent.error();
    }
    if (acked_ >= blocks_.count() || next_ <= window_end()) continue;
    const TftpArrival arrival = co_await peer_.receive(deadline());
    auto heard = hear(arrival);
    if (!heard) co_return heard.error();
    if (arrival.what == TftpArrival::What::silence)
      if (auto patient = on_silence(); !patient) co_return patient.error();
  }
  if (terms_.delivered) terms_.delivered();
  co_await linger();
  co_return blocks_.size_bytes();
}

/// Sends the OACK until block 0 is acknowledged (RFC 2347).
Task<Result<void>> Transfer::agree() {
  const Bytes oack = tftp::encode_oack(terms_.oack);
  while (!answered_) {
    send_one(oack);
    sent_ = peer_.now();
    once_ = ++first_sends_ == 1;
    while (true) {
      const TftpArrival arrival = co_await peer_.receive(sent_ + timer_.current());
      if (arrival.what == TftpArrival::What::silence) {
        if (auto patient = on_silence(); !patient) co_return patient.error();
        break;
      }
      auto heard = hear(arrival);
      if (!heard) co_return heard.error();
      if (answered_) break;
    }
  }
  if (once_) measured_since(sent_);
  co_return Result<void>();
}

/// Sends what the window still lacks, burst by burst; looks at what the client says in between.
Task<Result<void>> Transfer::send_window() {
  while (next_ <= window_end()) {
    auto sent = co_await send_burst();
    if (!sent) co_return sent.error();
    if (next_ > window_end()) break;
    const auto gap = pace_.gap(timer_.round_trip());
    const TftpArrival arrival = co_await peer_.receive(peer_.now() + gap);
    auto heard = hear(arrival);
    if (!heard) co_return heard.error();
  }
  co_return Result<void>();
}

Task<Result<void>> Transfer::send_burst() {
  auto loaded = co_await blocks_.load(next_, acked_ + 1);
  if (!loaded) co_return loaded.error();
  const std::uint64_t left =
      std::min({window_end() - next_ + 1, *loaded, std::uint64_t{pace_.burst_blocks()}});
  std::array<TftpPacket, kTftpBatchMax> batch;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, kTftpBatchMax));
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t block = next_ + i;
    batch[i].header = tftp::data_header(static_cast<std::uint16_t>(block % kNumbers));
    batch[i].payload = blocks_.at(block);
  }
  peer_.send(std::span(batch).first(count));
  sent_ = peer_.now();
  if (std::exchange(begins_, false)) {
    begun_ = sent_;
    once_ = true;
  }
  next_ += count;
  highest_ = std::max(highest_, next_ - 1);
  if (!answered_) ++first_sends_;
  co_return Result<void>();
}

/// Errors: cancelled.
Result<Transfer::Heard> Transfer::hear(const TftpArrival& arrival) {
  if (arrival.what == TftpArrival::What::gone)
    return fail(Errc::cancelled, "client: nobody listens there any more");
  if (arrival.what == TftpArrival::What::silence) return Heard::nothing;
  if (const auto error = tftp::decode_error(arrival.bytes))
    return fail(Errc::cancelled, "client: error {}: {}", error->code, printable(error->text));
  const auto ack = tftp::decode_ack(arrival.bytes);
  if (!ack) return Heard::nothing;
  heard_ = peer_.now();
  const Heard heard = on_ack(ack->block);
  if (heard == Heard::restart) {
    restarted_ = heard_;
    go_back();
  }
  return heard;
}

Transfer::Heard Transfer::on_ack(std::uint16_t number) {
  const std::uint64_t ahead = (number + kNumbers - acked_ % kNumbers) % kNumbers;
  const std::uint64_t block = acked_ + ahead;
  if (block > highest_) return Heard::nothing;  // of the past, or of nothing we sent
  if (ahead == 0) {
    const bool first_answer = !answered_;
    if (first_answer && !terms_.oack.empty()) {
      answered_ = true;
      progressed_ = heard_;
    }
    if (first_answer || terms_.window_blocks == 1) return Heard::nothing;  // RFC 1123 §4.2.3.1
    // A gap right behind it. EDK2 says so for every packet that follows: go back once, then not
    // until an answer to what was sent again can have come.
    if (next_ == acked_ + 1) return Heard::nothing;
    if (restarted_ && heard_ - *restarted_ < timer_.current()) return Heard::nothing;
    if (heard_ >= suspect_until_) return Heard::restart;
    doubted_ = true;
    return Heard::nothing;
  }
  on_progress(block);
  if (block == next_ - 1) {
    if (once_) measured_since(sent_);
    if (terms_.window_blocks > 1) pace_.window_passed();
    begins_ = true;
    return Heard::progress;
  }
  if (next_ <= block) {  // we went back, and the answer came after all
    next_ = block + 1;
    begins_ = true;
    return Heard::progress;
  }
  // Inside the window: the client lacks what comes next, and we go on from there. After a gap it
  // has what follows by the second sending only, so that its answer to that tells the trip, too.
  if (once_) measured_since(begun_);
  if (heard_ >= suspect_until_) return Heard::restart;
  doubted_ = true;
  return Heard::progress;
}

/// A window that went out twice is answered twice: EDK2 acknowledges every packet that it does not
/// expect, iPXE and GRUB its last block when it comes again. Taken as gaps, these answers would
/// send the next window twice as well, and so on to the end of the file. So what they say is
/// doubted until the last of them can have come, and believed then if nothing was acknowledged
/// meanwhile.
void Transfer::on_progress(std::uint64_t block) {
  answered_ = true;
  acked_ = block;
  progressed_ = heard_;
  restarted_.reset();
  doubted_ = false;
  if (!resent_) return;
  const auto trip_at_most = std::chrono::duration_cast<ResendTimer::Duration>(heard_ - begun_);
  timer_.at_most(trip_at_most);
  // All of it: perhaps the first answer, which was only late.
  if (block == highest_) suspect_until_ = std::max(suspect_until_, *resent_ + trip_at_most * 3 / 2);
  resent_.reset();
}

void Transfer::go_back() {
  next_ = acked_ + 1;
  begins_ = true;
  doubted_ = false;
  pace_.window_lost();
}

/// Nothing came in time: the window goes out again, unless the client has been silent too long.
Result<void> Transfer::on_silence() {
  const bool never = !answered_ && first_sends_ >= terms_.timing.first_sends_max;
  const auto waited = peer_.now() - progressed_;
  if (never || waited >= terms_.timing.silence_max)
    return fail(Errc::timeout, "client: silent for {} ms",
                std::chrono::duration_cast<Milliseconds>(waited).count());
  if (doubted_ && peer_.now() < sent_ + timer_.current()) {  // it was a gap
    go_back();
    return {};
  }
  const auto trip = timer_.round_trip().value_or(timer_.current());
  timer_.back_off();
  if (highest_ == 0) return {};
  go_back();
  begins_ = once_ = false;
  resent_ = peer_.now();
  suspect_until_ = *resent_ + 2 * trip;
  return {};
}

/// Stays for what was still on its way; whoever missed the last block gets it again.
Task<void> Transfer::linger() {
  const auto before_last = static_cast<std::uint16_t>((blocks_.count() - 1) % kNumbers);
  const SteadyTime end = peer_.now() + timer_.current();
  unsigned resends = 0;
  while (peer_.now() < end) {
    const TftpArrival arrival = co_await peer_.receive(end);
    if (arrival.what != TftpArrival::What::packet) co_return;
    const auto ack = tftp::decode_ack(arrival.bytes);
    if (!ack || ack->block != before_last || ++resends > kLateResendsMax) continue;
    auto loaded = co_await blocks_.load(blocks_.count(), blocks_.count());
    if (!loaded) co_return;
    const TftpPacket last{
        .header = tftp::data_header(static_cast<std::uint16_t>(blocks_.count() % kNumbers)),
        .payload = blocks_.at(blocks_.count())};
    peer_.send(std::span(&last, 1));
  }
}

}  // namespace

Task<Result<std::uint64_t>> send_file(TftpPeer& peer, TftpFile& file, TftpTransfer transfer) {
  Transfer under_way(peer, file, std::move(transfer));
  Result<std::uint64_t> sent = fail(Errc::internal, "transfer: ended by an exception");
  std::exception_ptr thrown;  // by a library: what is being read ahead still needs what is here
  try {
    sent = co_await under_way.run();
  } catch (...) {
    thrown = std::current_exception();
  }
  co_await under_way.settle();
  if (thrown) std::rethrow_exception(thrown);
  co_return sent;
}

}  // namespace farboot
