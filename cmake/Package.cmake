# The Debian package, by cpack: what `cmake --install` puts below the prefix, and what only a package has (COMPONENT package).
# `./dev deb` makes it; docs/install-package.md describes it.
set(GYRFALCON_MAINTAINER "gyrfalcon maintainers <maintainers@gyrfalcon.invalid>" CACHE STRING "Of the Debian package")

# Man page and completions, from the program's own help.
set(texts ${PROJECT_BINARY_DIR}/package)
add_custom_command(
  OUTPUT ${texts}/gyrfalcon.1.gz ${texts}/completion.bash ${texts}/completion.zsh ${texts}/completion.fish
  COMMAND sh ${PROJECT_SOURCE_DIR}/scripts/package-texts.sh $<TARGET_FILE:gyrfalcon> ${texts} ${PROJECT_VERSION}
  DEPENDS gyrfalcon ${PROJECT_SOURCE_DIR}/scripts/package-texts.sh
    ${PROJECT_SOURCE_DIR}/scripts/package-texts/table.awk ${PROJECT_SOURCE_DIR}/scripts/package-texts/man.awk
    ${PROJECT_SOURCE_DIR}/scripts/package-texts/bash.awk ${PROJECT_SOURCE_DIR}/scripts/package-texts/zsh.awk
    ${PROJECT_SOURCE_DIR}/scripts/package-texts/fish.awk
  VERBATIM)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(in_all ALL)
else()
  set(in_all "")
endif()
add_custom_target(package_texts ${in_all} DEPENDS ${texts}/gyrfalcon.1.gz)
install(FILES ${texts}/gyrfalcon.1.gz DESTINATION share/man/man1 OPTIONAL)
install(FILES ${texts}/completion.bash DESTINATION share/bash-completion/completions RENAME gyrfalcon OPTIONAL)
install(FILES ${texts}/completion.zsh DESTINATION share/zsh/vendor-completions RENAME _gyrfalcon OPTIONAL)
install(FILES ${texts}/completion.fish DESTINATION share/fish/vendor_completions.d RENAME gyrfalcon.fish OPTIONAL)

# gzip -n: the same text gives the same file.
file(WRITE ${texts}/changelog.Debian
"gyrfalcon (${PROJECT_VERSION}-1) unstable; urgency=medium

  * Version ${PROJECT_VERSION}; changelog.gz says what is new.

 -- ${GYRFALCON_MAINTAINER}  Thu, 01 Jan 2026 00:00:00 +0000
")
configure_file(${PROJECT_SOURCE_DIR}/CHANGELOG.md ${texts}/changelog COPYONLY)
foreach(name changelog changelog.Debian)
  execute_process(COMMAND gzip -9nf ${texts}/${name} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
set(package_only COMPONENT package EXCLUDE_FROM_ALL)
install(FILES ${texts}/changelog.gz ${texts}/changelog.Debian.gz ${PROJECT_SOURCE_DIR}/deploy/debian/copyright
  DESTINATION share/doc/gyrfalcon ${package_only})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/ DESTINATION share/doc/gyrfalcon ${package_only} FILES_MATCHING PATTERN "*.md")
install(FILES ${PROJECT_SOURCE_DIR}/config/gyrfalcon.yaml DESTINATION /etc/gyrfalcon ${package_only})
install(FILES ${PROJECT_SOURCE_DIR}/rules/gyrfalcon_rules.yaml DESTINATION /etc/gyrfalcon/rules.d
  RENAME 00-gyrfalcon_rules.yaml ${package_only})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME gyrfalcon)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT ${GYRFALCON_MAINTAINER})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "runtime threat detection for gVisor sandboxes")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"gyrfalcon listens to what gVisor sandboxes report about themselves, holds it
against Falco rules, and raises an alert when a rule fits. It reads Falco's
rules files and takes the place of Falco behind runsc.
.
`gyrfalcon install` sets up Docker's and containerd's gVisor runtimes;
removing the package takes that back.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR ON)  # for /etc
set(CPACK_STRIP_FILES ON)
set(CPACK_MONOLITHIC_INSTALL ON)
set(CPACK_INSTALL_CMAKE_PROJECTS
  "${PROJECT_BINARY_DIR};gyrfalcon;ALL;/;${PROJECT_BINARY_DIR};gyrfalcon;package;/")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS libcurl4)  # loaded when it is wanted, so the line above does not see it
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "runsc, docker.io | containerd")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/deploy/debian/conffiles ${PROJECT_SOURCE_DIR}/deploy/debian/postinst
  ${PROJECT_SOURCE_DIR}/deploy/debian/prerm ${PROJECT_SOURCE_DIR}/deploy/debian/postrm)
set(CPACK_PACKAGE_DIRECTORY ${texts})
include(CPack)
