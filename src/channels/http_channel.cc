#include "channels/http_channel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/curl_library.h"
#include "channels/http_transfer.h"
#include "channels/stuck_head.h"

namespace gyrfalcon {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kBatchBytesMax = size_t{1} << 20;  // a body is closed when it is that large
constexpr int64_t kRetryAfterMaxS = 300;
constexpr size_t kAheadMax = 65'536;
constexpr std::string_view kGivenUp =
    "no answer by the end of gyrfalcon; what it has not had, it gets after the next start, if the "
    "store is on";

enum class Verdict : uint8_t { kTaken, kRefused, kLater };

// Statuses below 500 that are the config's or the moment's fault, not the alert's.
constexpr long kNotTheAlertsFault[] = {401, 404, 405, 407, 408, 421, 425, 429};

constexpr bool IsIn(long status, long first) {
  constexpr long kClassSize = 100;
  return status >= first && status < first + kClassSize;
}

Verdict Judge(long status) {
  if (IsIn(status, 200)) return Verdict::kTaken;
  if (!IsIn(status, 400)) return Verdict::kLater;
  const bool is_later =
      std::ranges::find(kNotTheAlertsFault, status) != std::end(kNotTheAlertsFault);
  return is_later ? Verdict::kLater : Verdict::kRefused;
}

std::string_view Advice(long status) {
  if (IsIn(status, 300)) return ": it has moved; http_output.url must say where it is";
  switch (status) {
    case 401:
    case 407:
      return ": it wants credentials; see http_output.headers and http_output.mtls";
    case 404:
    case 405:
    case 421:
      return ": nothing there takes alerts; see http_output.url";
    case 429:
      return ": too many requests";
    default:
      return "";
  }
}

// What may mend a refusal.
std::string_view RefusalAdvice(long status, bool is_array) {
  constexpr long kForbidden = 403;
  constexpr long kTooLarge = 413;
  if (status == kForbidden) return "it lets nobody in with this; see http_output.headers";
  if (status == kTooLarge) return "too large for it; let it take larger bodies";
  if (is_array) {
    return "see its log for the reason; with http_output.batch_max above 1 each POST is an array, "
           "which it must know";
  }
  return "see its log for the reason, and whether http_output.url is where it takes alerts";
}

// Alerts of a Deliver that go out together.
struct Post {
  enum class State : uint8_t { kPending, kUnderWay, kTaken, kRefused, kLater };

  size_t first = 0;  // in the batch
  size_t count = 0;
  State state = State::kPending;
  bool is_gzip = false;              // as it was sent
  bool was_refused_as_gzip = false;  // and goes plain now
  HttpTransfer* transfer = nullptr;  // while under way

  bool IsFinal() const { return state == State::kTaken || state == State::kRefused; }
};

using AlertKey = std::pair<std::string, uint64_t>;

AlertKey KeyOf(const OutgoingAlert& alert) {
  return {std::string(alert.boot_id), alert.sequence};
}

struct MultiDeleter {
  void operator()(CURLM* multi) const { Curl().multi_cleanup(multi); }
};

class HttpChannel final : public Channel {
 public:
  HttpChannel(HttpOptions options, AlertFormatOptions format, std::string place,
              std::function<void(const std::string&)> tell)
      : options_(std::move(options)),
        format_(std::move(format)),
        place_(std::move(place)),
        tell_(std::move(tell)),
        multi_(Curl().multi_init()) {
    Curl().multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(options_.parallel));
    for (uint64_t i = 0; i < options_.parallel; ++i) transfers_.emplace_back(options_);
  }

  std::string_view name() const override { return "http_output"; }
  Delivery Deliver(std::span<const OutgoingAlert> batch) override;
  void GiveUp() override {
    given_up_ = true;
    Curl().multi_wakeup(multi_.get());
  }

 private:
  struct Round {
    std::span<const OutgoingAlert> batch;
    size_t batch_max = 1;          // alerts in one POST
    bool head_is_suspect = false;  // its next 5xx is its last
    std::deque<Post> posts = {};   // in the batch's order, without a gap
    size_t next = 0;               // the first alert that is in no post
    size_t under_way = 0;
    bool failed_by_status = false;
    std::optional<Error> problem = {};
  };

  Delivery Send(Round round);
  Post* NextPost(Round& round);
  void Cut(Round& round);
  void StartAll(Round& round);
  bool Start(Round& round, Post& post);
  void TakeAnswers(Round& round);
  void Finish(Round& round, Post& post, const HttpAnswer& answer);
  bool SendAnew(Round& round, Post& post, const HttpAnswer& answer);
  void NoteRefusal(const HttpAnswer& answer);
  void LearnNoGzip();
  static void AbortAll(Round& round);
  Delivery Conclude(const Round& round);
  std::unexpected<Error> Problem(std::string_view what) const {
    return Fail(Fault::kEnvironment, fmt::format("http_output to {}: {}", place_, what));
  }

  const HttpOptions options_;
  const AlertFormatOptions format_;
  const std::string place_;  // scheme, host and port: no secrets
  const std::function<void(const std::string&)> tell_;
  std::unique_ptr<CURLM, MultiDeleter> multi_;
  std::deque<HttpTransfer> transfers_;
  std::atomic<bool> given_up_ = false;

  StuckHead stuck_;
  bool takes_gzip_ = true;
  Clock::time_point not_before_;  // Retry-After; the epoch: none
  uint64_t timeouts_ = 0;         // in a row
  std::string refusal_;           // the last one
  // Alerts that are done with, while one before them is not: they are not sent again.
  std::map<AlertKey, Post::State> ahead_;
};

// The way of a batch: cut into posts, so many under way at a time; the first that has to be tried
// again later ends it, once the others under way have come back.
Delivery HttpChannel::Deliver(std::span<const OutgoingAlert> batch) {
  if (batch.empty()) return {};
  if (given_up_) return {.problem = Problem(kGivenUp).error()};
  if (const auto now = Clock::now(); now < not_before_) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(not_before_ - now);
    const std::string what = fmt::format("it asks to be left alone for {} s", left.count());
    return {.problem = Problem(what).error()};
  }
  if (!stuck_.IsSuspect(batch.front())) {
    return Send({.batch = batch, .batch_max = options_.batch_max});
  }
  if (batch.size() > 1) {
    const Delivery other = Send({.batch = batch.subspan(1, 1)});
    if (other.done == 0) return {.problem = other.problem};
    ahead_.emplace(KeyOf(batch[1]),
                   other.refused != 0 ? Post::State::kRefused : Post::State::kTaken);
  }
  return Send({.batch = batch, .head_is_suspect = batch.size() > 1});
}

Delivery HttpChannel::Send(Round round) {
  while (true) {
    StartAll(round);
    if (round.under_way == 0) break;
    int running = 0;
    Curl().multi_perform(multi_.get(), &running);
    TakeAnswers(round);
    if (given_up_) {
      round.problem = Problem(kGivenUp).error();
      AbortAll(round);
      break;
    }
    constexpr int kLookAgainMs = 1000;
    if (running != 0) Curl().multi_poll(multi_.get(), nullptr, 0, kLookAgainMs, nullptr);
  }
  return Conclude(round);
}

void HttpChannel::StartAll(Round& round) {
  while (!round.problem && round.under_way < options_.parallel) {
    Post* const post = NextPost(round);
    if (post == nullptr) return;
    if (!Start(round, *post)) round.problem = Problem("no memory for a request").error();
  }
}

Post* HttpChannel::NextPost(Round& round) {
  for (Post& post : round.posts) {
    if (post.state == Post::State::kPending) return &post;
  }
  while (round.next < round.batch.size()) {
    Cut(round);
    if (round.posts.back().state == Post::State::kPending) return &round.posts.back();
  }
  return nullptr;
}

// The next post: what goes together is of one boot, and none of it was taken before.
void HttpChannel::Cut(Round& round) {
  const size_t first = round.next;
  if (const auto ahead = ahead_.extract(KeyOf(round.batch[first]))) {
    round.posts.push_back({.first = first, .count = 1, .state = ahead.mapped()});
    ++round.next;
    return;
  }
  size_t count = 1;
  size_t bytes = SizeBytes(*round.batch[first].alert);
  while (count < round.batch_max && first + count < round.batch.size()) {
    const OutgoingAlert& alert = round.batch[first + count];
    bytes += SizeBytes(*alert.alert);
    if (bytes > kBatchBytesMax || alert.boot_id != round.batch[first].boot_id) break;
    if (ahead_.contains(KeyOf(alert))) break;
    ++count;
  }
  round.posts.push_back({.first = first, .count = count});
  round.next = first + count;
}

bool HttpChannel::Start(Round& round, Post& post) {
  const auto alerts = round.batch.subspan(post.first, post.count);
  HttpBody body;
  for (const OutgoingAlert& alert : alerts) {
    if (!body.bytes.empty()) body.bytes += ',';
    body.bytes += FormatJson(*alert.alert, format_, alert.stamp());
  }
  if (options_.batch_max > 1) body.bytes = fmt::format("[{}]", body.bytes);
  if (alerts.front().sequence != 0) {
    body.boot_id = alerts.front().boot_id;
    body.sequence = fmt::format("{}", alerts.front().sequence);
    if (alerts.size() > 1) body.sequence += fmt::format("-{}", alerts.back().sequence);
  }
  if (options_.compress_uploads && takes_gzip_ && !post.was_refused_as_gzip) {
    if (auto zipped = Gzip(body.bytes)) {
      body.bytes = std::move(*zipped);
      body.is_gzip = true;
    }
  }
  post.is_gzip = body.is_gzip;
  for (HttpTransfer& transfer : transfers_) {
    if (transfer.is_busy()) continue;
    if (!transfer.Begin(multi_.get(), std::move(body))) return false;
    post.state = Post::State::kUnderWay;
    post.transfer = &transfer;
    ++round.under_way;
    return true;
  }
  return false;
}

void HttpChannel::TakeAnswers(Round& round) {
  int left = 0;
  while (const CURLMsg* message = Curl().multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode result = message->data.result;
    HttpTransfer* const transfer = HttpTransfer::Of(message->easy_handle);
    const auto post = std::ranges::find(round.posts, transfer, &Post::transfer);
    const HttpAnswer answer = transfer->End(result);
    if (post == round.posts.end()) continue;
    post->transfer = nullptr;
    --round.under_way;
    Finish(round, *post, answer);
  }
}

void HttpChannel::Finish(Round& round, Post& post, const HttpAnswer& answer) {
  timeouts_ = answer.timed_out ? timeouts_ + 1 : 0;
  if (answer.timed_out && timeouts_ <= options_.max_consecutive_timeouts) {
    post.state = Post::State::kPending;
    return;
  }
  if (answer.status == 0) {
    post.state = Post::State::kLater;
    round.problem = Problem(answer.problem).error();
    return;
  }
  if (options_.echo && tell_) {
    tell_(fmt::format("http_output to {} answered {}: {}", place_, answer.status,
                      Printable(answer.body)));
  }
  const bool is_final_failure =
      round.head_is_suspect && post.first == 0 && IsIn(answer.status, 500);
  switch (is_final_failure ? Verdict::kRefused : Judge(answer.status)) {
    case Verdict::kTaken:
      post.state = Post::State::kTaken;
      if (post.was_refused_as_gzip) LearnNoGzip();
      return;
    case Verdict::kRefused:
      if (!is_final_failure && SendAnew(round, post, answer)) return;
      post.state = Post::State::kRefused;
      NoteRefusal(answer);
      return;
    case Verdict::kLater:
      break;
  }
  post.state = Post::State::kLater;
  if (post.first == 0) round.failed_by_status = IsIn(answer.status, 500);
  if (answer.retry_after_s > 0) {
    const int64_t seconds = std::min(answer.retry_after_s, kRetryAfterMaxS);
    not_before_ = Clock::now() + std::chrono::seconds(seconds);
  }
  round.problem =
      Problem(fmt::format("answered {}{}", answer.status, Advice(answer.status))).error();
}

// What was refused may be taken in another form: not compressed, or each alert by itself.
bool HttpChannel::SendAnew(Round& round, Post& post, const HttpAnswer& answer) {
  constexpr long kBadRequest = 400;
  constexpr long kUnsupportedMediaType = 415;
  const bool may_be_gzip = answer.status == kBadRequest || answer.status == kUnsupportedMediaType;
  if (post.is_gzip && may_be_gzip) {
    post.was_refused_as_gzip = true;
    post.state = Post::State::kPending;
    return true;
  }
  if (post.count == 1) return false;
  const Post whole = post;
  const auto at = std::ranges::find(round.posts, whole.first, &Post::first);
  auto single = round.posts.erase(at);
  for (size_t i = whole.count; i > 0; --i) {
    single = round.posts.insert(single, {.first = whole.first + i - 1, .count = 1});
  }
  return true;
}

void HttpChannel::NoteRefusal(const HttpAnswer& answer) {
  constexpr size_t kShownMax = 200;
  const std::string body = Printable(std::string_view(answer.body).substr(0, kShownMax));
  refusal_ = Problem(fmt::format("answered {}{}{}; {}", answer.status, body.empty() ? "" : ": ",
                                 body, RefusalAdvice(answer.status, options_.batch_max > 1)))
                 .error()
                 .message;
}

void HttpChannel::LearnNoGzip() {
  if (std::exchange(takes_gzip_, false) && tell_) {
    tell_(
        fmt::format("http_output to {}: it takes no gzip; what follows is not compressed", place_));
  }
}

void HttpChannel::AbortAll(Round& round) {
  for (Post& post : round.posts) {
    if (post.transfer != nullptr) std::exchange(post.transfer, nullptr)->Abort();
  }
}

Delivery HttpChannel::Conclude(const Round& round) {
  Delivery delivery;
  delivery.problem = round.problem;
  if (ahead_.size() > kAheadMax) ahead_.clear();  // some are sent twice
  bool is_front = true;
  for (const Post& post : round.posts) {
    is_front &= post.IsFinal();
    if (!post.IsFinal()) continue;
    if (is_front) {
      delivery.done += post.count;
      if (post.state == Post::State::kRefused) delivery.refused += post.count;
      continue;
    }
    for (const OutgoingAlert& alert : round.batch.subspan(post.first, post.count)) {
      if (alert.sequence != 0) ahead_.insert_or_assign(KeyOf(alert), post.state);
    }
  }
  if (delivery.refused > 0) delivery.refusal = refusal_;
  if (delivery.done == 0 && round.failed_by_status) stuck_.NoteFailure(round.batch.front());
  return delivery;
}

// As in Falco, the URL may have quotes of its own.
void Unquote(std::string& url) {
  if (url.size() < 2 || url.front() != url.back()) return;
  if (url.front() != '"' && url.front() != '\'') return;
  url.pop_back();
  url.erase(0, 1);
}

}  // namespace

Result<std::unique_ptr<Channel>> MakeHttpChannel(HttpOptions options, AlertFormatOptions format,
                                                 std::function<void(const std::string&)> tell) {
  Unquote(options.url);
  auto place = CheckHttpOptions(options);
  if (!place) return std::unexpected(place.error());
  options.batch_max = std::max<uint64_t>(options.batch_max, 1);
  options.parallel = std::max<uint64_t>(options.parallel, 1);
  return std::make_unique<HttpChannel>(std::move(options), std::move(format), std::move(*place),
                                       std::move(tell));
}

}  // namespace gyrfalcon
